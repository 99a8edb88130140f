// test-deadline: 240s
import { sql } from 'kysely';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { waitFor } from '../../core/testing/wait-for.ts';
import { type ChaosWorld, createChaosWorld } from './testing/world.ts';

const HANDLERS_OF_ACCOUNT = 3;
/** Whose ends nothing else of the same event can collide with. */
const ONE_HANDLER = 'AdPerformanceDataIngestedEvent';
const none = { overlaps: 0, inversions: 0, lost: 0, duplicateEffects: 0 };

/**
 * The merchant is worked twice at once: the first visit is stuck in its transaction when Redis loses the activation that is
 * its lease, and the next event brings a second visit. Then the first one goes on.
 * @param second what the second visit does meanwhile
 */
async function workTwiceAtOnce(at: ChaosWorld, merchantId: string, second: 'commits' | 'waits'): Promise<void> {
  // The row of a lane that nobody has worked yet would be a lock by itself.
  await at.send(merchantId, `${merchantId}-0`, ONE_HANDLER);
  await at.ended(merchantId, 1);
  await at.send(merchantId, `${merchantId}-1`, ONE_HANDLER, { processIngestedPerformanceData: { kind: 'stuck' } });
  await waitFor('the first visit', async () => {
    const { rows } = await sql`select from chaos_troubles where event_id = ${`${merchantId}-1`}`.execute(at.db);
    return rows.length > 0;
  });
  await at.redis.flushall();
  await at.send(merchantId, `${merchantId}-2`, ONE_HANDLER);
  switch (second) {
    case 'commits':
      await at.ended(merchantId, 3);
      break;
    case 'waits':
      // What was flushed is gone: an activation that somebody has taken is the second one.
      await waitFor('the second visit', async () => {
        const keys = await at.redis.keys('*{activations-*}:*');
        return keys.some((key) => key.endsWith(':active') || key.endsWith(':delayed'));
      });
      break;
    default:
      second satisfies never;
  }
  await at.repair();
}

/**
 * An event that holds its merchant asks to come back later, with another one behind it. Often, since it also does so in
 * every larger transaction from which it is then taken out.
 */
async function waitAtTheHead(at: ChaosWorld, merchantId: string): Promise<void> {
  const trouble = { kind: 'snooze', ms: 200, times: 6 } as const;
  await at.send(merchantId, `${merchantId}-1`, 'ChaosAccountEvent', { recordAccountMerchantReleaseState: trouble });
  await at.send(merchantId, `${merchantId}-2`, 'ChaosAccountEvent');
}

test('the checker finds nothing with everything in place, and what happens without the inbox key, without holding and without the fence', async () => {
  await using at = await createChaosWorld();
  await findsNothing(at);
  await findsDuplicates(at);
  await findsInversions(at);
  await findsOverlaps(at);
});

async function findsNothing(at: ChaosWorld): Promise<void> {
  await waitAtTheHead(at, 'waits');
  await at.startWorker();
  await workTwiceAtOnce(at, 'twice', 'waits');
  await at.send('repeats', 'repeats-1', 'ChaosAccountEvent');
  await at.ended('repeats', HANDLERS_OF_ACCOUNT);
  await at.send('repeats', 'repeats-1', 'ChaosAccountEvent');
  await at.send('repeats', 'repeats-2', 'ChaosAccountEvent');
  for (const merchantId of ['repeats', 'waits']) await at.ended(merchantId, 2 * HANDLERS_OF_ACCOUNT);
  await at.ended('twice', 3);
  assert.equal(await at.judge(), none);
}

/** Without the key of what was accepted a message that comes again is done again. */
async function findsDuplicates(at: ChaosWorld): Promise<void> {
  await at.send('again', 'again-1', 'ChaosAccountEvent');
  await at.ended('again', HANDLERS_OF_ACCOUNT);
  await sql`alter table accepted drop constraint accepted_pkey`.execute(at.db);
  await sql`delete from accepted`.execute(at.db);
  await at.send('again', 'again-1', 'ChaosAccountEvent');
  await at.ended('again', 2 * HANDLERS_OF_ACCOUNT);
  assert.equal(await at.judge(), { ...none, duplicateEffects: HANDLERS_OF_ACCOUNT });
}

/** Without the holding of later events they overtake. */
async function findsInversions(at: ChaosWorld): Promise<void> {
  await at.stopWorker();
  await waitAtTheHead(at, 'overtaken');
  await at.startWorker({ CHAOS_WITHOUT_HOLDING: 'yes' });
  await at.ended('overtaken', 2 * HANDLERS_OF_ACCOUNT);
  const { inversions, ...rest } = await at.judge();
  assert.ok(inversions > 0);
  assert.equal(rest, { overlaps: 0, lost: 0, duplicateEffects: HANDLERS_OF_ACCOUNT });
}

/** Without the fence two owners of a lane overlap. */
async function findsOverlaps(at: ChaosWorld): Promise<void> {
  await at.stopWorker();
  await sql`delete from chaos_repairs`.execute(at.db);
  const cut = pathToFileURL(join(import.meta.dirname, 'testing/without-fence.ts')).href;
  await at.startWorker({ NODE_OPTIONS: `--import=${cut}` });
  await workTwiceAtOnce(at, 'unfenced', 'commits');
  const overlaps = await waitFor('the first visit to commit', async () => (await at.judge()).overlaps, {
    timeoutMs: 30_000,
  });
  assert.ok(overlaps > 0);
}

test.run();
