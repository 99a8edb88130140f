import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createWorld } from '../../core/testing/world.ts';
import { readOpen } from './read-open.ts';
import { type Activity, awaitRest, isAtRest, readActivity } from './at-rest.ts';

const resting: Activity = {
  accepted: 10,
  emittedOpen: 0,
  emittedAccepted: 2,
  deadLettersOpen: 0,
  behind: 0,
  deliveries: 0,
  intents: 0,
  settled: 12,
};

async function setup() {
  const world = await createWorld();
  const { db } = world.postgres;
  const run = async (text: string) => void (await sql.raw(text).execute(db));
  const signal = new AbortController().signal;
  const looks: Activity[] = [];
  const options = { sent: 1, everyMs: 5, signal, onProgress: (activity: Activity) => void looks.push(activity) };
  return { db, run, looks, options, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

test('nothing that is still under way counts as rest, whichever part of the system it is in', () => {
  assert.ok(isAtRest(8, resting));
  assert.not.ok(isAtRest(9, resting), 'an event that was not accepted yet');
  for (const part of ['emittedOpen', 'deadLettersOpen', 'behind', 'deliveries', 'intents'] as const)
    assert.not.ok(isAtRest(8, { ...resting, [part]: 1 }), part);
});

test('every part is seen in the tables, and said in words for a run that stalls', async () => {
  await using world = await setup();
  await world.run(`
    insert into mailbox values ('m', 4, current_date, now());
    insert into lanes (merchant_id, cursor) values ('m', 1);
    insert into accepted values ('m', 'a', '', 1, current_date, now()), ('m', 'b', '', 2, current_date, now());
    insert into outbox (merchant_id, seq, stream, shard, event_id, event_type, destination, deduplication_id, attributes,
      body, created_at, state) values
      ('m', 1, 'events', 0, 'b', 'T', 'queue:Q', 'b', '{}', '', now(), 'sent'),
      ('m', 2, 'events', 0, 'c', 'T', 'queue:Q', 'c', '{}', '', now(), 'sent'),
      ('m', 3, 'dead-letters', 0, 'a', 'T', 'queue:D', 'd', '{}', '', now(), 'pending');
    insert into deliveries (merchant_id, mseq, handler, day, event_id, event_type, state, holds, created_at, updated_at)
      values ('m', 1, 'h', current_date, 'a', 'T', 'waiting', 'event', now(), now())`);
  assert.equal(await readActivity(world.db), {
    accepted: 2,
    emittedOpen: 1,
    emittedAccepted: 1,
    deadLettersOpen: 1,
    behind: 2,
    deliveries: 1,
    intents: 0,
    settled: 0,
  });
  assert.equal(await readOpen(world.db), [
    'lane of m: 2 events behind, state active',
    'event a of m at h: waiting, attempt 0, not before now: no error',
    'outbox row 3 of m to queue:D: pending, 0 attempts: no error',
  ]);
});

test('waiting ends when all that was sent is accepted and worked', async () => {
  await using world = await setup();
  await world.run(`insert into mailbox values ('m', 2, current_date, now());
    insert into accepted values ('m', 'a', '', 1, current_date, now())`);
  let worked: Promise<void> | undefined;
  const { at, activity } = await awaitRest(world.db, {
    ...world.options,
    queued: async () => 0,
    stallMs: 20_000,
    onProgress: () => {
      worked ??= world.run(`insert into lanes (merchant_id, cursor) values ('m', 1)`);
    },
  });
  await worked;
  assert.is(at, 'rest');
  assert.is(activity.behind, 0);
});

test('waiting ends as stalled when nothing moves any more', async () => {
  await using world = await setup();
  await world.run(`insert into mailbox values ('m', 2, current_date, now())`);
  const { at, activity } = await awaitRest(world.db, { ...world.options, queued: async () => 0, stallMs: 50 });
  assert.equal([at, activity.behind], ['stall', 1]);
});

test('an event that no queue and no table holds any more is not waited for: the checker will name it', async () => {
  await using world = await setup();
  const gone = await awaitRest(world.db, { ...world.options, queued: async () => 0, stallMs: 20_000, quietMs: 20 });
  assert.is(gone.at, 'rest');
  const queued = await awaitRest(world.db, { ...world.options, queued: async () => 1, stallMs: 100, quietMs: 20 });
  assert.is(queued.at, 'stall');
});

test.run();
