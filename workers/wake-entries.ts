import type { AcceptableEvent } from './accept-rows.ts';
import type { Verdict } from './admit.ts';

/** What a lane is told of a batch. */
export interface WakeEntry {
  merchantId: string;
  /** By ascending mseq; only of events that lie after the lane's cursor. */
  pointers: readonly { mseq: number; type: string; correlationId: string }[];
  /** Events of the merchant that are accepted and not yet worked, these included. */
  backlog: number;
}

/** One entry for every merchant of whom the batch brought an event that is accepted, now or before. */
export function wakeEntriesOf(judged: readonly { event: AcceptableEvent; verdict: Verdict }[]): readonly WakeEntry[] {
  const byMerchant = Map.groupBy(
    judged.filter(({ verdict }) => verdict.status !== 'conflict' && verdict.status !== 'rejected'),
    ({ event }) => event.merchantId,
  );
  return [...byMerchant].map(([merchantId, entries]) => {
    const pointers = new Map<number, WakeEntry['pointers'][number]>();
    let backlog = 0;
    for (const { event, verdict } of entries) {
      if (verdict.status !== 'accepted' && verdict.status !== 'duplicate') continue;
      backlog = Math.max(backlog, verdict.lane.backlog);
      if (verdict.mseq > verdict.lane.cursor)
        pointers.set(verdict.mseq, { mseq: verdict.mseq, type: event.eventType, correlationId: event.correlationId });
    }
    return { merchantId, pointers: [...pointers.values()].toSorted((a, b) => a.mseq - b.mseq), backlog };
  });
}
