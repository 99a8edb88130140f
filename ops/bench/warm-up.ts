import type { Kysely } from 'kysely';
import type { Database } from '../../core/database/tables.ts';
import { type BenchContext, scaled } from './context.ts';
import { type BenchEvent, merchantIds, productEvents } from './load.ts';
import { type Ours, toAcceptable } from './ours.ts';
import { awaitCursors } from './settled.ts';

const acceptedAtOnce = 200;
/** Of a statement with parameters, Postgres makes a plan each of the first five times, and keeps one from the sixth on. */
const rounds = 3;

/**
 * Events of merchants that nobody measures, with which Postgres connections get to know their statements and tables: those
 * of a process that runs for days do. Each round is worked before the next begins.
 */
export const warmUpRounds = (context: BenchContext): readonly (readonly BenchEvent[])[] => {
  const merchants = merchantIds(scaled(context, 1_000, 5)).map((merchantId) => `warm-${merchantId}`);
  return Array.from({ length: rounds }, (_, round) => productEvents({ merchants, each: 1, salt: `round-${round}` }));
};

/** Takes the rounds through the whole engine and stops it again. Answers with how many events were settled. */
export async function warmUpEngine(context: BenchContext, ours: Ours, db: Kysely<Database>): Promise<number> {
  ours.start();
  const settled = await warmUpIntake(context, ours, (accepted) => awaitCursors(db, accepted));
  await ours.stop();
  return settled;
}

/**
 * Accepts the rounds, on all connections of the intake. Answers with how many events were accepted.
 * @param afterRound told of how many there are until then, before the next begins
 */
export async function warmUpIntake(
  context: BenchContext,
  ours: Ours,
  afterRound: (accepted: number) => Promise<void> = () => Promise.resolve(),
): Promise<number> {
  let accepted = 0;
  for (const events of warmUpRounds(context)) {
    await acceptTogether(ours, events);
    accepted += events.length;
    await afterRound(accepted);
  }
  return accepted;
}

async function acceptTogether(ours: Ours, events: readonly BenchEvent[]): Promise<void> {
  const batches: BenchEvent[][] = [];
  for (let at = 0; at < events.length; at += acceptedAtOnce) batches.push(events.slice(at, at + acceptedAtOnce));
  await Promise.all(
    batches.map((batch) => ours.accept(batch.map((event) => toAcceptable(event, ours.config.bodyHmacKey)))),
  );
}
