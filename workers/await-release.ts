import type { Kysely } from 'kysely';
import { registeredMajors } from '../core/database/schema-versions.ts';
import type { Database } from '../core/database/tables.ts';
import type { Clock } from '../core/runtime/clock.ts';
import type { DecodeFault } from './decode.ts';
import type { ReceivedMessage } from './message.ts';

/**
 * A message that this release cannot read, but a registered one can, is left in SQS: while a deployment rolls out, workers of
 * both releases receive. It is given up when nobody who reads it came within `WAIT_MS` of its first receive.
 */
export const WAIT_MS = 900_000;

export interface Refusal {
  message: ReceivedMessage;
  fault: DecodeFault;
}

export interface Sorted {
  /** To be left in SQS. */
  waiting: Refusal[];
  /** Dead letters, the reason completed. */
  refused: Refusal[];
}

/** Rejects when Postgres cannot tell. Asks it only when there is something to ask about. */
export async function sortRefusals(
  { db, clock }: { db: Kysely<Database>; clock: Clock },
  refusals: readonly Refusal[],
): Promise<Sorted> {
  const ahead = refusals.flatMap(({ fault }) => (fault.ahead === undefined ? [] : [fault.ahead.eventType]));
  const registered = ahead.length === 0 ? new Set<string>() : await registeredMajors(db, ahead);
  const sorted: Sorted = { waiting: [], refused: [] };
  for (const refusal of refusals) {
    const { fault, message } = refusal;
    if (fault.ahead === undefined) sorted.refused.push(refusal);
    else if (!registered.has(`${fault.ahead.eventType} ${fault.ahead.major}`))
      sorted.refused.push(because(refusal, 'no release has registered it'));
    else if (clock.now() - message.firstReceivedAtMs < WAIT_MS) sorted.waiting.push(refusal);
    else
      sorted.refused.push(
        because(refusal, `it is registered, but nobody who reads it came in ${WAIT_MS / 60_000} min`),
      );
  }
  return sorted;
}

const because = ({ message, fault }: Refusal, reason: string): Refusal => ({
  message,
  fault: { ...fault, message: `${fault.message}; ${reason}` },
});
