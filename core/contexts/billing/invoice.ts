import { apportion, scaled } from '../../money/apportion.ts';
import { microsPerMinor as microsPerMinorOf } from '../../money/currency.ts';
import type { InvoiceLine, PlanPrices } from './tables.ts';

/** A stretch of whole days of the period on one plan. */
export interface PlanStretch {
  plan: PlanPrices;
  days: number;
}

/** What was spent on one network in one currency, and the clicks that came of it. */
export interface Usage {
  adNetworkId: string;
  currency: string;
  clicks: number;
  spendMicros: number;
}

export interface Draft {
  currency: string;
  lines: InvoiceLine[];
  totalMinor: number;
}

const MILLION = 1_000_000n;

/**
 * What a period costs, one draft for each currency. Pure; the same figures give the same lines in the same order.
 *
 * base      each plan's fee for its share of the days, together what the days come to, rounded once
 * usage     each thousand clicks begun beyond those included, by the plan at the end of the period
 * ad_spend  that plan's share of all spend in a currency, rounded once and split over the networks
 */
export function draftInvoices(
  stretches: readonly PlanStretch[],
  daysInPeriod: number,
  usage: readonly Usage[],
): Draft[] {
  const last = stretches.at(-1)?.plan;
  if (last === undefined) return [];
  const lines = [
    ...[...Map.groupBy(stretches, ({ plan }) => plan.currency)].flatMap(([currency, group]) =>
      baseLines(group, daysInPeriod).map((line) => ({ currency, line })),
    ),
    { currency: last.currency, line: usageLine(last, usage) },
    ...[...Map.groupBy(usage, (each) => each.currency)].flatMap(([currency, group]) =>
      spendLines(last, currency, group).map((line) => ({ currency, line })),
    ),
  ].filter(({ line }) => line.amountMinor !== 0);
  return [...Map.groupBy(lines, ({ currency }) => currency)]
    .map(([currency, group]) => ({
      currency,
      lines: group.map(({ line }) => line),
      totalMinor: group.reduce((sum, { line }) => sum + line.amountMinor, 0),
    }))
    .toSorted((a, b) => (a.currency < b.currency ? -1 : 1));
}

function baseLines(stretches: readonly PlanStretch[], daysInPeriod: number): InvoiceLine[] {
  const weights = stretches.map(({ plan, days }) => BigInt(plan.baseFeeMinor) * BigInt(days));
  const amounts = apportion(scaled(sumOf(weights), 1n, BigInt(daysInPeriod)), weights);
  return stretches.map(({ plan, days }, index) => ({
    kind: 'base',
    description: `Plan ${plan.planId}, ${days} of ${daysInPeriod} days`,
    amountMinor: amounts[index] ?? 0,
    quantity: days,
  }));
}

function usageLine(plan: PlanPrices, usage: readonly Usage[]): InvoiceLine {
  const clicks = usage.reduce((all, each) => all + each.clicks, 0);
  const thousands = Math.max(0, Math.ceil((clicks - plan.includedClicks) / 1_000));
  return {
    kind: 'usage',
    description: `${clicks} clicks, ${plan.includedClicks} included`,
    amountMinor: thousands * plan.clickThousandMinor,
    quantity: thousands,
  };
}

function spendLines(plan: PlanPrices, currency: string, usage: readonly Usage[]): InvoiceLine[] {
  const spends = usage.map(({ spendMicros }) => BigInt(spendMicros));
  const microsPerMinor = BigInt(microsPerMinorOf(currency));
  const amounts = apportion(scaled(sumOf(spends), BigInt(plan.spendFeePpm), MILLION * microsPerMinor), spends);
  return usage.map(({ adNetworkId, spendMicros }, index) => ({
    kind: 'ad_spend',
    description: `${plan.spendFeePpm / 10_000} % of ad spend on ${adNetworkId}`,
    amountMinor: amounts[index] ?? 0,
    quantity: spendMicros,
  }));
}

const sumOf = (values: readonly bigint[]): bigint => values.reduce((all, value) => all + value, 0n);
