import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { done } from '../core/events/handler.ts';
import { requestRedrive } from '../core/operations/request-redrive.ts';
import { createWorld } from '../core/testing/world.ts';
import { each, numbered, oneEventSystem } from './testing/one-event-system.ts';

test('a redriven pair keeps its command through its retries, and ends it once: done, or dead again with a letter of its own', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  let broken = true;
  const { visit, seed, applied, clock, lane } = oneEventSystem(
    world,
    each((n) => {
      if (n === 1 && broken) throw new Error('not yet');
      return done;
    }),
  );
  /** Until the lane has nothing more to do, however often its head must be tried. */
  const settleAll = async () => {
    for (let visits = 0; visits < 20; visits++) {
      await visit('m1');
      const { due_at } = await lane('m1');
      if (due_at === null) return;
      clock.time = Math.max(clock.time, due_at.getTime());
    }
    throw new Error('the lane never came to rest');
  };
  const commands = () => db.selectFrom('redrives').select(['id', 'result']).orderBy('requested_at').execute();
  await seed('m1', numbered(1, 3));
  await settleAll();
  assert.equal(await applied('m1'), [2, 3]);
  const { day } = await db.selectFrom('inbox').select('day').where('mseq', '=', 1).executeTakeFirstOrThrow();
  const redrive = (messageId: string) =>
    requestRedrive(
      db,
      { merchantId: 'm1', eventId: 'm1-1', mseq: 1, day, handler: 'h', messageId },
      (clock.time += 1_000),
    );

  assert.is(await redrive('a'), true);
  await settleAll();
  assert.equal(await commands(), [{ id: 'sqs-a', result: 'dead' }]);
  const letters = await db.selectFrom('outbox').select('deduplication_id').execute();
  assert.is(new Set(letters.map((row) => row.deduplication_id)).size, 2, 'no dedupe window takes one for the other');

  assert.is(await redrive('b'), true);
  await visit('m1');
  const [waiting] = await db.selectFrom('deliveries').select(['state', 'attempt']).execute();
  assert.equal(waiting, { state: 'redrive', attempt: 1 });
  broken = false;
  await settleAll();
  assert.equal(await commands(), [
    { id: 'sqs-a', result: 'dead' },
    { id: 'sqs-b', result: 'done' },
  ]);
  assert.equal(await applied('m1'), [2, 3, 1]);
  const settled = await db.selectFrom('settlements').selectAll().where('mseq', '=', 1).executeTakeFirstOrThrow();
  assert.equal([settled.outcome, settled.out_of_order], ['done', true]);
  assert.is(await redrive('c'), false, 'what ended well is not tried again');
});

test('a command whose event or failure is gone ends by itself, and leaves the lane at rest', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const { visit, seed, clock, lane } = oneEventSystem(
    world,
    each(() => done),
  );
  await seed('m1', numbered(1, 1));
  await visit('m1');
  const { day } = await db.selectFrom('inbox').select('day').executeTakeFirstOrThrow();
  for (const mseq of [1, 99])
    await db
      .insertInto('redrives')
      .values({
        id: `r-${mseq}`,
        merchant_id: 'm1',
        mseq,
        day,
        handler: 'h',
        requested_by: 'ada',
        reason: 'a test',
        requested_at: new Date(clock.time),
        finished_at: null,
        result: null,
      })
      .execute();
  await db
    .updateTable('lanes')
    .set({ due_at: new Date(clock.time) })
    .execute();
  assert.equal(await visit('m1'), { kind: 'caught-up', events: 0 });
  const commands = await db.selectFrom('redrives').select('result').execute();
  assert.equal(
    commands.map((row) => row.result),
    ['nothing to redrive', 'nothing to redrive'],
  );
  assert.is((await lane('m1')).due_at, null);
});

test.run();
