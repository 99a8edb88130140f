import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { workLane } from './act.ts';
import { each } from './testing/one-event-system.ts';
import { testActor, testEvent } from './testing/test-event.ts';
import type { HandlerDefinition } from '../core/events/definition.ts';
import { type HandlerModule, done, skip } from '../core/events/handler.ts';
import { seedInbox } from '../core/testing/engine.ts';
import { type World, createWorld } from '../core/testing/world.ts';

const HALF = '\ud83d';

/** Events 1 to 5 of a merchant, all of one aggregate, and handlers that run on a clock of the test. */
async function setUp(
  world: World,
  merchantId: string,
  handlers: Record<string, Partial<HandlerDefinition> & { run: HandlerModule }>,
) {
  const { db, pool } = world.postgres;
  const modules = Object.fromEntries(Object.entries(handlers).map(([name, { run }]) => [name, run]));
  const { clock, deps } = testActor(pool, testEvent(handlers), modules);
  await seedInbox(
    db,
    [1, 2, 3, 4, 5].map((n) => ({
      ...{ merchantId, eventType: 'TestEvent', eventId: `${merchantId}-${n}` },
      payload: { n, key: 'a' },
    })),
  );
  return {
    db,
    run: () => workLane(deps, merchantId, { careful: false, stop: new AbortController().signal }),
    /** Visits until nothing is tried any more by itself. */
    async toTheEnd() {
      for (let visits = 0; visits < 10; visits++) {
        await workLane(deps, merchantId, { careful: false, stop: new AbortController().signal });
        clock.time += 60_000;
      }
    },
    ended: async () => {
      const rows = await db
        .selectFrom('settlements')
        .select(['handler', 'mseq', 'outcome', 'attempts'])
        .where('merchant_id', '=', merchantId)
        .orderBy('handler')
        .orderBy('mseq')
        .execute();
      return rows.map(({ handler, mseq, outcome, attempts }) => `${handler} ${mseq} ${outcome} ${attempts}`);
    },
    open: () =>
      db
        .selectFrom('deliveries')
        .select(['handler', 'mseq', 'state', 'attempt', 'last_error'])
        .where('merchant_id', '=', merchantId)
        .orderBy('mseq')
        .execute(),
  };
}

/** What event 3 does to its handler; the others are done. */
const onThird = (does: Parameters<typeof each>[0]): HandlerModule =>
  each((n, event, context) => (n === 3 ? does(n, event, context) : done));

const desired = (text: string) => ({ destination: 'ad-network:fake', objectKey: 'one', desired: { text } });

test('an error whose text no store would keep costs its attempts and is dead in the end', async () => {
  await using world = await createWorld();
  const thrown: [string, unknown, string][] = [
    ['cut', new Error(`${'x'.repeat(999)}😀`), `${'x'.repeat(999)}\ufffd`],
    ['nul', new Error('a\0b'), 'ab'],
    ['bare', Object.create(null), 'threw object'],
  ];
  for (const [merchantId, error, recorded] of thrown) {
    const run = onThird(() => {
      throw error;
    });
    const t = await setUp(world, merchantId, { h: { run } });
    await t.run();
    const [waiting] = await t.open();
    assert.equal([waiting?.attempt, waiting?.last_error?.message], [1, recorded]);
    await t.toTheEnd();
    assert.equal(await t.ended(), ['h 1 done 1', 'h 2 done 1', 'h 3 dead 4', 'h 4 done 1', 'h 5 done 1']);
  }
});

test('what a handler decides and Postgres refuses is a failed attempt of that handler, and the lane goes on behind it', async () => {
  await using world = await createWorld();
  const ways: Record<string, HandlerModule> = {
    intent: onThird((_, event, context) => {
      context.intend(event, desired(HALF));
      return done;
    }),
    skip: onThird(() => skip('not\0wanted')),
  };
  const dead = ['bad 1 done 1', 'bad 2 done 1', 'bad 3 dead 4', 'bad 4 done 1', 'bad 5 done 1'];
  const good = [1, 2, 3, 4, 5].map((n) => `good ${n} done 1`);
  for (const [way, run] of Object.entries(ways))
    for (const holds of ['merchant', 'aggregate', 'event'] as const) {
      const merchantId = `${way}-${holds}`;
      const sound = onThird((n, event, context) => {
        context.intend(event, desired(`good ${n}`));
        return done;
      });
      const t = await setUp(world, merchantId, { good: { run: sound, holds: 'event' }, bad: { run, holds } });
      await t.run();
      const open = await t.open();
      assert.equal(
        open.map(({ handler, mseq, state, attempt }) => `${handler} ${mseq} ${state} ${attempt}`),
        holds === 'aggregate' ? ['bad 3 waiting 1', 'bad 4 behind 0', 'bad 5 behind 0'] : ['bad 3 waiting 1'],
      );
      assert.match(open[0]?.last_error?.message ?? '', 'what bad decided cannot be written: ');
      await t.toTheEnd();
      const all = await t.ended();
      // Behind what was set aside they are settled out of order, which is all that differs.
      assert.equal(all, [...dead, ...good]);
      const intents = await t.db
        .selectFrom('intents')
        .select('desired')
        .where('merchant_id', '=', merchantId)
        .execute();
      assert.equal(intents, [{ desired: { text: 'good 3' } }]);
    }
});

test('where its handler keeps its poison, what Postgres refuses is parked, and what it holds waits', async () => {
  await using world = await createWorld();
  const run = onThird((_, event, context) => {
    context.intend(event, desired('\0'));
    return done;
  });
  const t = await setUp(world, 'm1', { h: { run, onPoison: 'keep' } });
  await t.toTheEnd();
  assert.equal(await t.ended(), ['h 1 done 1', 'h 2 done 1']);
  assert.equal(
    (await t.open()).map(({ mseq, state, attempt }) => [mseq, state, attempt]),
    [[3, 'parked', 4]],
  );
  const lane = await t.db.selectFrom('lanes').select('state').executeTakeFirstOrThrow();
  assert.is(lane.state, 'blocked');
});

test('an event that its consumers would not accept is not emitted: whoever tries gives up at once', async () => {
  await using world = await createWorld();
  for (const holds of ['merchant', 'aggregate', 'event'] as const) {
    const run = onThird((_, event, context) => {
      context.emit(event, { eventType: 'TestEvent', payload: { n: 6, text: HALF } });
      return done;
    });
    const t = await setUp(world, holds, { h: { run, holds } });
    await t.toTheEnd();
    assert.equal(await t.ended(), ['h 1 done 1', 'h 2 done 1', 'h 3 dead 1', 'h 4 done 1', 'h 5 done 1']);
    const sent = await t.db
      .selectFrom('outbox')
      .select(['stream', 'attributes'])
      .where('merchant_id', '=', holds)
      .execute();
    assert.equal(
      sent.map(({ stream, attributes }) => [stream, attributes['reason']]),
      [['dead-letters', 'TestEvent cannot be emitted: payload.text: must not contain half a surrogate pair']],
    );
  }
});

test('a lock that is not to be had while settling costs no attempt, however often', async () => {
  await using world = await createWorld();
  let calls = 0;
  const run = onThird(async (_, event, context) => {
    calls += 1;
    await sql`set local lock_timeout = 50`.execute(context.trx);
    context.intend(event, desired('fine'));
    return done;
  });
  const t = await setUp(world, 'm1', { h: { run } });
  await sql`insert into effect_lanes (merchant_id, destination, updated_at) values ('m1', 'ad-network:fake', now())`.execute(
    t.db,
  );
  const other = await t.db.startTransaction().execute();
  await sql`select from effect_lanes for update`.execute(other);
  for (let visit = 0; visit < 5; visit++) {
    const refused: unknown = await t.run().then(
      () => undefined,
      (error: unknown) => error,
    );
    assert.is(refused instanceof Error && 'code' in refused && refused.code, '55P03');
  }
  assert.equal([await t.open(), calls], [[], 5], 'it is no reason to look closer, either');
  await other.rollback().execute();
  await t.run();
  assert.equal(
    await t.ended(),
    [1, 2, 3, 4, 5].map((n) => `h ${n} done 1`),
  );
});

test.run();
