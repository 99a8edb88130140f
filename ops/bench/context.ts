import type { BenchServers } from './servers.ts';

/** What a part is given. */
export interface BenchContext {
  servers: BenchServers;
  /** Rounds in which every contender runs once. */
  pairs: number;
  /** Of every amount; 1 is what the published figures are made with. */
  scale: number;
  say: (line: string) => void;
}

/** At least `min`, so that a part still means what it says at a small scale. */
export const scaled = ({ scale }: BenchContext, amount: number, min = 1): number =>
  Math.max(min, Math.round(amount * scale));

/** At a scale that measures nothing, settings need not be compared either. */
export const worthTrying = <T>({ scale }: BenchContext, settings: readonly [T, ...T[]]): readonly [T, ...T[]] =>
  scale < 0.01 ? [settings[0]] : settings;
