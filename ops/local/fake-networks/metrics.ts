import { createHash } from 'node:crypto';
import type { Network } from './campaign-store.ts';

export interface NetworkMetrics {
  readonly impressions: number;
  readonly clicks: number;
  readonly conversions: number;
  readonly spendMicros: number;
  readonly currency: string;
}

/** The same numbers whenever a day is asked for, from nothing but its name: reading twice must not double anything. */
export function networkMetrics(network: Network, campaign: string, date: string, currency: string): NetworkMetrics {
  const digest = createHash('sha256').update(`${network}\n${campaign}\n${date}`).digest();
  const impressions = 500 + (digest.readUInt32BE(0) % 50_000);
  const clicks = Math.floor((impressions * (5 + (digest.readUInt8(4) % 45))) / 1_000);
  const conversions = Math.floor((clicks * (10 + (digest.readUInt8(5) % 90))) / 1_000);
  const spendMicros = clicks * (80_000 + (digest.readUInt32BE(6) % 900_000));
  return { impressions, clicks, conversions, spendMicros, currency };
}
