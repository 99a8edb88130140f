import { createHash } from 'node:crypto';
import type { Network } from './object-store.ts';

export interface Figures {
  readonly impressions: number;
  readonly clicks: number;
  readonly conversions: number;
  /** Millionths of the currency's major unit. */
  readonly spendMicros: number;
}

/** Conversions arrive late: of a day's, this share is known at its end, and all of them a week later. */
const KNOWN_AT_ONCE = 0.6;
const DAYS_UNTIL_ALL = 7;

/**
 * The same numbers whenever a day is asked for, from nothing but its name: reading twice must not double anything. Only
 * conversions grow for a week, as networks restate them.
 */
export function figuresOf(network: Network, object: string, date: string, nowMs: number): Figures {
  const digest = createHash('sha256').update(`${network}\n${object}\n${date}`).digest();
  const impressions = 500 + (digest.readUInt32BE(0) % 50_000);
  const clicks = Math.floor((impressions * (5 + (digest.readUInt8(4) % 45))) / 1_000);
  const all = Math.floor((clicks * (10 + (digest.readUInt8(5) % 90))) / 1_000);
  const ageDays = Math.floor((nowMs - Date.parse(date)) / 86_400_000);
  const known = Math.min(1, KNOWN_AT_ONCE + ((1 - KNOWN_AT_ONCE) * Math.max(0, ageDays)) / DAYS_UNTIL_ALL);
  const spendMicros = clicks * (80_000 + (digest.readUInt32BE(6) % 900_000));
  return { impressions, clicks, conversions: Math.floor(all * known), spendMicros };
}

const DAY_MS = 86_400_000;

/** Days from `from` to `to` inclusive that are not in the future, at most 90. */
export function daysBetween(from: string, to: string, nowMs: number): string[] {
  const days: string[] = [];
  const end = Math.min(Date.parse(to), nowMs);
  for (let at = Date.parse(from); at <= end && days.length < 90; at += DAY_MS)
    days.push(new Date(at).toISOString().slice(0, 10));
  return days;
}
