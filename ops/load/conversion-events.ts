import type { Random } from './random.ts';

/** Who advertises for a merchant. One of them is a customer too, and gets nothing for its own orders. */
export const affiliates = [
  { affiliateId: 'blog', name: 'A blog', commissionPpm: 85_000, customerRef: null },
  { affiliateId: 'video', name: 'A video channel', commissionPpm: 120_000, customerRef: 'customer-3' },
] as const;

/** Orders that affiliates may have brought, and refunds of them, some in several parts. */
export interface ConversionEvents {
  next(atMs: number): Record<string, unknown>;
}

interface Conversion {
  readonly orderId: string;
  readonly amountMinor: number;
  refunds: number;
}

const dayMs = 86_400_000;
/** Beyond the longest window, so that some clicks came too early to count. */
const clickedWithinDays = 40;
const remembered = 50;

export function conversionEvents(random: Random, currency: string): ConversionEvents {
  const conversions: Conversion[] = [];
  let converted = 0;
  return {
    next(atMs) {
      const timestamp = new Date(atMs).toISOString();
      const known = random.chance(0.25) ? conversions[random.below(conversions.length)] : undefined;
      if (known !== undefined) {
        known.refunds += 1;
        return {
          orderId: known.orderId,
          conversionType: 'refund',
          refundId: `refund-${known.refunds}`,
          amountMinor: random.below(known.amountMinor + 1),
          currency,
          timestamp,
        };
      }
      converted += 1;
      const conversion = { orderId: `ord-${converted}`, amountMinor: 1 + random.below(40_000), refunds: 0 };
      if (conversions.push(conversion) > remembered) conversions.shift();
      return {
        orderId: conversion.orderId,
        conversionType: 'purchase',
        amountMinor: conversion.amountMinor,
        currency,
        timestamp,
        customerRef: `customer-${random.below(10)}`,
        touchpoints: Array.from({ length: random.below(4) }, () => ({
          affiliateId: random.pick(['blog', 'video', 'unknown']),
          clickedAt: new Date(atMs - random.below(clickedWithinDays * 24) * (dayMs / 24)).toISOString(),
        })),
      };
    },
  };
}
