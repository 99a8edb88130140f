import type { PlanStretch } from './invoice.ts';
import type { PlanPrices } from './tables.ts';

/** First and last day of a month, and how many it has. */
export function daysOf(billingPeriod: string): { first: string; last: string; count: number } {
  const [year = 0, month = 1] = billingPeriod.split('-').map(Number);
  const count = new Date(Date.UTC(year, month, 0)).getUTCDate();
  return { first: `${billingPeriod}-01`, last: `${billingPeriod}-${String(count).padStart(2, '0')}`, count };
}

/** The month before the one that a day lies in. */
export function monthBefore(day: string): string {
  const [year = 0, month = 1] = day.split('-').map(Number);
  return month === 1 ? `${year - 1}-12` : `${year}-${String(month - 1).padStart(2, '0')}`;
}

/** From `fromDay` on, until the next subscription; a plan of null is none. */
export interface Subscription {
  fromDay: string;
  plan: PlanPrices | null;
}

/** How many days of a month were on which plan, in their order. */
export function stretchesOf(subscriptions: readonly Subscription[], billingPeriod: string): PlanStretch[] {
  const { count } = daysOf(billingPeriod);
  const inOrder = subscriptions.toSorted((a, b) => (a.fromDay < b.fromDay ? -1 : 1));
  const stretches: PlanStretch[] = [];
  for (let day = 1; day <= count; day++) {
    const date = `${billingPeriod}-${String(day).padStart(2, '0')}`;
    const plan = inOrder.findLast(({ fromDay }) => fromDay <= date)?.plan ?? null;
    if (plan === null) continue;
    const current = stretches.at(-1);
    if (current?.plan.planId === plan.planId) current.days += 1;
    else stretches.push({ plan, days: 1 });
  }
  return stretches;
}
