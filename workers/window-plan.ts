import type { Pair } from './in-hand.ts';

/** How large the next windows of a visit are, where they are not full ones. */
export interface WindowPlan {
  /** Sizes of the next windows while a failed one is being narrowed down; empty: full windows. */
  plan: number[];
  /** Events still to be handled carefully after a death. */
  carefulLeft: number;
}

/** Plans the next windows: up to a known culprit and then it alone, or halves where nobody can say which it was. */
export function shrink(visit: WindowPlan, size: number, index: number | undefined): void {
  const rest = visit.plan.slice(1);
  if (index !== undefined && index > 0) visit.plan = [index, 1, ...rest];
  else if (index === 0) visit.plan = [1, ...rest];
  else visit.plan = [Math.floor(size / 2), Math.ceil(size / 2), ...rest];
}

/** The cursor passed `count` events: the plan and the careful stretch shorten by them. */
export function passed(visit: WindowPlan, count: number): void {
  visit.carefulLeft = Math.max(0, visit.carefulLeft - count);
  const [first, ...rest] = visit.plan;
  if (first !== undefined) visit.plan = first > count ? [first - count, ...rest] : rest;
}

/** How many events a window may have that leads up to what the last visit died of, or is it. */
export function eventsUpTo(deadly: Pair | undefined, cursor: number): number {
  if (deadly === undefined || deadly.mseq <= cursor) return Number.POSITIVE_INFINITY;
  return Math.max(1, deadly.mseq - cursor - 1);
}
