/**
 * What a chaos run leaves behind, as the checker wants it: plain rows, whoever recorded them. Times are epoch milliseconds
 * with fractions, as exact as the store has them.
 */
export interface History {
  /** Every handler of the events that were sent, with what it promises. */
  readonly handlers: ReadonlyMap<string, ExpectedHandler>;
  /** Distinct events in the order in which their producers sent them. */
  readonly sent: readonly Sent[];
  readonly accepted: readonly Accepted[];
  /** What handlers did and committed, in the order in which they did it. */
  readonly effects: readonly Effect[];
  /** How pairs of event and handler ended; a pair that was redriven may have two ends. */
  readonly ends: readonly End[];
  /** In the order in which they were committed. */
  readonly commits: readonly Commit[];
  /** Pairs that have no end, and what they wait for. */
  readonly open: readonly OpenPair[];
  readonly deadLetters: readonly Letter[];
  /** Pairs that an operator asked for again, by `pairKey`. */
  readonly redriven: ReadonlySet<string>;
  readonly faults: readonly Injected[];
}

export interface ExpectedHandler {
  readonly holds: 'merchant' | 'aggregate' | 'event';
  readonly onPoison: 'release' | 'keep';
}

export interface Sent {
  readonly merchantId: string;
  readonly eventId: string;
  /** The merchant's stream in which order counts; undefined on a route that keeps none. */
  readonly sequence: string | undefined;
  readonly aggregate: string;
  readonly handlers: readonly string[];
  /** A handler is planned to fail, wait or take long: what follows may have to wait for it. */
  readonly troubled: boolean;
}

export interface Accepted {
  readonly merchantId: string;
  readonly eventId: string;
  readonly mseq: number;
  readonly atMs: number;
}

interface PairOf {
  readonly handler: string;
  readonly merchantId: string;
  readonly eventId: string;
}

export interface Effect extends PairOf {
  readonly seq: number;
  readonly mseq: number;
  readonly transaction: string;
  readonly atMs: number;
}

export interface End extends PairOf {
  readonly seq: number;
  readonly mseq: number;
  readonly outcome: string;
  readonly reason: string | null;
  readonly transaction: string;
}

export interface Commit {
  readonly seq: number;
  readonly merchantId: string;
  readonly owner: string;
  readonly worker: string;
  readonly cursor: number;
  readonly transaction: string;
  readonly atMs: number;
}

export interface OpenPair extends PairOf {
  readonly state: string;
  /** Empty when nothing failed. */
  readonly errorCode: string;
}

export interface Letter extends PairOf {
  readonly errorCode: string;
}

export interface Injected {
  readonly kind: string;
  readonly target: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

/** A key of several parts that no value of a part can imitate. */
export const keyOf = (...parts: readonly string[]): string => JSON.stringify(parts);

export const pairKey = ({ handler, merchantId, eventId }: PairOf): string => keyOf(merchantId, eventId, handler);

/** Where the commits of lanes stand: `positionOf` answers with the place of a transaction among a merchant's commits. */
export function positionsOf(commits: readonly Commit[]) {
  const positions = new Map<string, number>();
  for (const { merchantId, transaction, seq } of commits) positions.set(keyOf(merchantId, transaction), seq);
  return ({ merchantId, transaction }: { merchantId: string; transaction: string }): number =>
    positions.get(keyOf(merchantId, transaction)) ?? Number.POSITIVE_INFINITY;
}
