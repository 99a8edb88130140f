import { findInversions } from './find-inversions.ts';
import { findMisses } from './find-misses.ts';
import { findOverlaps } from './find-overlaps.ts';
import type { History } from './history.ts';
import { type Starvation, allWaits, catchingUp, longestStarvation, recoveries } from './measure-waits.ts';

export interface Judgement {
  readonly overlaps: number;
  readonly inversions: number;
  readonly lost: number;
  readonly duplicateEffects: number;
  readonly starvedMs: number;
  /** Who that was, if anybody waited. */
  readonly starved?: Starvation;
  /** The longest of `recoveries`. */
  readonly recoveredMs: number;
  /** Of each fault, in their order. */
  readonly recoveries: readonly (number | null)[];
  /** The longest of `catchUps`. */
  readonly behindMs: number;
  /** Of each fault, how long after it the last merchant that was behind at its end was served. */
  readonly catchUps: readonly number[];
  /** In words. */
  readonly findings: readonly string[];
}

/** Compares a history with what was promised. Pure, and shares no code with the engine whose history it is. */
export function checkHistory(history: History): Judgement {
  const overlaps = findOverlaps(history);
  const inversions = findInversions(history);
  const { lost, duplicateEffects } = findMisses(history);
  const recovered = recoveries(history.faults, history.commits);
  const waits = allWaits(history);
  const catchUps = catchingUp(history.faults, waits);
  const starved = longestStarvation(waits, history.commits);
  return {
    overlaps: overlaps.length,
    inversions: inversions.length,
    lost: lost.length,
    duplicateEffects: duplicateEffects.length,
    starvedMs: starved?.servedMs ?? 0,
    ...(starved === undefined ? {} : { starved }),
    recoveredMs: Math.max(0, ...recovered.map((ms) => ms ?? 0)),
    recoveries: recovered,
    behindMs: Math.max(0, ...catchUps),
    catchUps,
    findings: [
      ...overlaps.map((what) => `overlap: ${what}`),
      ...inversions.map((what) => `inversion: ${what}`),
      ...lost.map((what) => `lost: ${what}`),
      ...duplicateEffects.map((what) => `duplicate effect: ${what}`),
    ],
  };
}

export const isFaultless = (
  judgement: Pick<Judgement, 'overlaps' | 'inversions' | 'lost' | 'duplicateEffects'>,
): boolean => judgement.overlaps + judgement.inversions + judgement.lost + judgement.duplicateEffects === 0;
