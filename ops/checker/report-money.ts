import type { MoneyHeld } from './read-money.ts';
import { type HashOfCustomer, recomputeCommissions } from './recompute-commissions.ts';
import { type SentEvent, recomputeInvoices } from './recompute-invoices.ts';

/** A total by currency, what it should be, and whether every single figure behind it is the same. */
export interface Report {
  ours: Record<string, number>;
  recomputed: Record<string, number>;
  match: boolean;
  /** Figures that differ, a few of them, as `key: ours, recomputed`. */
  differences: string[];
}

const MAX_DIFFERENCES = 20;

/** Keys end in the currency. */
export function compareFigures(ours: ReadonlyMap<string, number>, recomputed: ReadonlyMap<string, number>): Report {
  const keys = [...new Set([...ours.keys(), ...recomputed.keys()])].toSorted();
  const differences = keys
    .filter((key) => (ours.get(key) ?? 0) !== (recomputed.get(key) ?? 0))
    .map((key) => `${key}: ${ours.get(key) ?? 0}, ${recomputed.get(key) ?? 0}`);
  return {
    ours: totals(ours),
    recomputed: totals(recomputed),
    match: differences.length === 0,
    differences: differences.slice(0, MAX_DIFFERENCES),
  };
}

function totals(figures: ReadonlyMap<string, number>): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [key, figure] of figures) {
    const currency = key.slice(-3);
    sums[currency] = (sums[currency] ?? 0) + figure;
  }
  return sums;
}

/** Commissions and invoices beside what the sent events come to. Invoices must have been reckoned after the last figure. */
export const reportMoney = (
  events: readonly SentEvent[],
  held: MoneyHeld,
  hashOf: HashOfCustomer,
): Record<'commissions' | 'invoices', Report> => {
  const invoices = compareFigures(held.invoices, recomputeInvoices(events, held.plans, held.standard));
  return {
    commissions: compareFigures(held.commissions, recomputeCommissions(events, held.programs, hashOf)),
    invoices: {
      ...invoices,
      match: invoices.match && held.crooked.length === 0,
      differences: [...invoices.differences, ...held.crooked.map((key) => `${key}: lines do not add up`)],
    },
  };
};
