import type { Pair } from './in-hand.ts';

/** How large the next windows of a visit are, where they are not full ones. */
export interface WindowPlan {
  /** Sizes of the next windows while a failed one is being narrowed down; empty: full windows. */
  plan: number[];
  /** Events still to be handled carefully after a death. */
  carefulLeft: number;
  /** An event that ran alone and could not be settled: it runs again, with each handler's part tried by itself. */
  unsettled: number | undefined;
}

/** Plans the next windows: up to a known culprit and then it alone, or halves where nobody can say which it was. */
export function shrink(visit: WindowPlan, size: number, index: number | undefined): void {
  const rest = visit.plan.slice(1);
  if (index !== undefined && index > 0) visit.plan = [index, 1, ...rest];
  else if (index === 0) visit.plan = [1, ...rest];
  else visit.plan = [Math.floor(size / 2), Math.ceil(size / 2), ...rest];
}

/**
 * Handlers went through, and Postgres refused what they decided. Several events are narrowed down; of one that was alone, the
 * next run finds out which handler's doing it is. False when it was that run.
 * @param alone its number
 */
export function planUnsettled(visit: WindowPlan, size: number, alone: number | undefined): boolean {
  if (alone === undefined) shrink(visit, size, undefined);
  else if (visit.unsettled === alone) return false;
  else visit.unsettled = alone;
  return true;
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
