import { z } from 'zod';

/** What no day, no ad and no order comes to: millions of such figures still add up to what a bigint holds. */
const MAX_FIGURE = 1e12;
/** Millionths of a currency of which one unit buys little need more room. */
const MAX_MICROS = 1e15;

// Not as a `maximum`: committed schemas promise the room of a whole number, and whoever keeps to what can happen has it.
const atMost = (most: number) =>
  [(value: number) => value <= most, { error: `must be at most ${most.toLocaleString('en')}` }] as const;
const whole = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

/** A count, or an amount in minor units. */
export const figure = whole.refine(...atMost(MAX_FIGURE));
/** An amount in millionths of the currency's major unit. */
export const micros = whole.refine(...atMost(MAX_MICROS));
/** A count of what is shared out in fractions. */
export const fractionalFigure = z
  .number()
  .min(0)
  .refine(...atMost(MAX_FIGURE));
