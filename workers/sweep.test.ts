import { type Kysely, sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { EffectKey } from './effect-lane.ts';
import { createSweeper } from './sweep.ts';
import { createLaneSystem } from './testing/lane-system.ts';
import { connectRedis } from '../core/clients/redis.ts';
import type { Database } from '../core/database/tables.ts';
import { done, snooze } from '../core/events/handler.ts';
import { systemClock } from '../core/runtime/clock.ts';
import { silentLog } from '../core/runtime/log.ts';
import { createWorld } from '../core/testing/world.ts';

const MINUTE = 60_000;

async function setUp({ everyMs = 50 } = {}) {
  const world = await createWorld();
  const redis = connectRedis(world.redisUrl, 'test');
  const system = createLaneSystem(world, {
    h: { holds: 'aggregate', run: (n) => (n === 1 ? snooze(10 * MINUTE, 'not yet') : done) },
  });
  const clock = { ...systemClock, now: () => systemClock.now() + 10_000 };
  let merchants: string[] = [];
  let effects: EffectKey[] = [];
  let whileWaking: () => Promise<unknown> = () => Promise.resolve();
  const wake = async (ids: readonly string[]): Promise<void> => {
    merchants.push(...ids);
    const now = whileWaking;
    whileWaking = () => Promise.resolve();
    await now();
  };
  const another = () =>
    createSweeper({
      ...{ db: world.postgres.db, redis, prefix: world.stack, clock, log: silentLog, everyMs },
      wakeMerchants: wake,
      rouseMerchants: wake,
      wakeEffects: (keys) => Promise.resolve(void effects.push(...keys)),
      housekeeping: () => Promise.resolve(),
    });
  const sweeper = another();
  return {
    db: world.postgres.db,
    redis,
    system,
    clock,
    marker: `${world.stack}:sweep-marker`,
    another,
    woken: () => merchants,
    /** What else happens when merchants are woken next. */
    whileWaking: (what: () => Promise<unknown>) => (whileWaking = what),
    /** One pass: whom it woke. */
    async pass() {
      merchants = [];
      effects = [];
      await sweeper.sweep();
      return { merchants: merchants.toSorted(), effects };
    },
    async [Symbol.asyncDispose]() {
      redis.disconnect();
      await world[Symbol.asyncDispose]();
    },
  };
}

/** What a release left whose handler this one does not have: due since an hour, its event the merchant's first. */
const leaveUnknown = async (db: Kysely<Database>, merchants: string, eventType: string) => {
  await sql`
    insert into deliveries (merchant_id, mseq, handler, day, event_id, event_type, state, holds, created_at, updated_at)
    select merchant_id, 1, 'retired', current_date, 'e', ${eventType}, 'waiting', 'event', now(), now()
    from lanes where merchant_id like ${merchants}
  `.execute(db);
  await sql`
    update lanes set due_at = now() - interval '1 hour', open_deliveries = 1 where merchant_id like ${merchants}
  `.execute(db);
};

test('what is due is woken although the cursor has caught up: a set-aside, a redrive command, an effect', async () => {
  await using at = await setUp();
  await at.system.seed('aside', [
    { n: 1, key: 'a' },
    { n: 2, key: 'b' },
  ]);
  await at.system.seed('asked', [{ n: 2 }]);
  await at.system.run('aside');
  await at.system.run('asked');
  assert.equal([(await at.system.lane('aside')).cursor, (await at.system.lane('asked')).cursor], [2, 1]);
  assert.equal((await at.pass()).merchants, [], 'nothing is due yet');

  await sql`update lanes set due_at = now() where merchant_id = 'aside'`.execute(at.db);
  await at.system.redrive('asked', 1, 'h');
  const effect = { merchant_id: 'm', destination: 'ad-network:meta' };
  const now = new Date();
  await at.db
    .insertInto('effect_lanes')
    .values({ ...effect, owner: null, worker: null, due_at: now, updated_at: now })
    .execute();
  assert.equal(await at.pass(), {
    merchants: ['aside', 'asked'],
    effects: [{ merchantId: 'm', destination: 'ad-network:meta' }],
  });
});

test('a set-aside lets what is not behind it pass, and its lane is due when its time comes', async () => {
  await using at = await setUp();
  await at.system.seed('m', [
    { n: 1, key: 'a' },
    { n: 2, key: 'b' },
    { n: 3, key: 'a' },
  ]);
  // Caught up, not waiting: a suspended activation would absorb the wake-ups of later events.
  assert.is((await at.system.run('m')).kind, 'caught-up');
  assert.equal(await at.system.settled('m'), ['2 done']);
  const due = (await at.system.lane('m')).due_at?.getTime() ?? 0;
  assert.is(due, at.system.clock.time + 10 * MINUTE);
});

test('what stays due, since nobody can work it, holds nothing back that is due later', async () => {
  await using at = await setUp();
  await sql`insert into lanes (merchant_id) select 'stuck-' || n from generate_series(1, 1001) n`.execute(at.db);
  await leaveUnknown(at.db, 'stuck-%', 'TestEvent');
  await sql`insert into lanes (merchant_id, due_at) values ('later', now())`.execute(at.db);
  await sql`
    insert into effect_lanes (merchant_id, destination, due_at, updated_at)
    select 'stuck-' || n, 'payments', now() - interval '1 hour', now() from generate_series(1, 1001) n
    union all select 'later', 'email', now(), now()
  `.execute(at.db);
  const passes = [await at.pass(), await at.pass(), await at.pass()];
  const counts = passes.map(({ merchants, effects }) => [merchants.length, effects.length]);
  assert.equal(counts, [
    [1_000, 1_000],
    [2, 2],
    [1_000, 1_000],
  ]);
  assert.ok(passes[1]?.merchants.includes('later'));
  assert.equal(passes[1]?.effects.at(-1), { merchantId: 'later', destination: 'email' });
});

test('of a fleet one worker makes a pass in each interval, and another goes on where it ended', async () => {
  await using at = await setUp({ everyMs: 600_000 });
  await sql`insert into lanes (merchant_id, due_at) select 'm-' || n, now() from generate_series(1, 1500) n`.execute(
    at.db,
  );
  const others = [at.another(), at.another()];
  for (const each of others) each.start();
  await Promise.all(others.map((each) => each.stop()));
  assert.is(at.woken().length, 1_000, 'one pass of two workers');
  assert.is((await at.pass()).merchants.length, 500, 'the third goes on');

  // A worker that dies in its turn costs others no more than that turn's time.
  await sql`update sweep_turn set holder = 'dead', held_until = now() + interval '1 minute'`.execute(at.db);
  assert.equal((await at.pass()).merchants, []);
  await sql`update sweep_turn set held_until = now()`.execute(at.db);
  assert.is((await at.pass()).merchants.length, 1_000);
});

test('a full pass that fails is made again', async () => {
  await using at = await setUp();
  await at.system.seed('m', [{ n: 2 }]);
  await sql`update mailbox set touched_at = now() - interval '1 hour'`.execute(at.db);
  const fails = async () => {
    at.whileWaking(() => Promise.reject(new Error('refused')));
    assert.match(String(await at.pass().catch((error: unknown) => error)), 'refused');
  };
  await fails();
  for (const woken of [['m'], []]) assert.equal((await at.pass()).merchants, woken, 'the start of a worker');
  await at.redis.del(at.marker);
  await fails();
  for (const woken of [['m'], []]) assert.equal((await at.pass()).merchants, woken, 'Redis was emptied');
});

test('a Redis that is emptied during a full pass gets another', async () => {
  await using at = await setUp();
  await at.system.seed('m', [{ n: 2 }]);
  await sql`update mailbox set touched_at = now() - interval '1 hour'`.execute(at.db);
  at.whileWaking(() => at.redis.del(at.marker));
  for (const woken of [['m'], ['m'], []]) assert.equal((await at.pass()).merchants, woken);
});

test('a lane that is behind is woken although it has something set aside for later', async () => {
  await using at = await setUp();
  await at.system.seed('m', [{ n: 1, key: 'a' }]);
  await at.system.run('m');
  await at.system.seed('m', [{ n: 2, key: 'b' }]);
  await sql`update lanes set updated_at = now() - interval '1 minute'`.execute(at.db);
  assert.is((await at.system.lane('m')).open_deliveries, 1);
  assert.equal((await at.pass()).merchants, ['m']);
});

test('paused and blocked lanes are not woken and not worked, whatever Redis says, until they are resumed', async () => {
  await using at = await setUp();
  for (const merchant of ['paused', 'blocked', 'active']) {
    await at.system.seed(merchant, [{ n: 2 }]);
    await at.system.run(merchant);
    await at.system.seed(merchant, [{ n: 3 }]);
  }
  await sql`update lanes set updated_at = now() - interval '1 minute',
    state = case merchant_id when 'active' then 'active' else merchant_id end`.execute(at.db);
  assert.equal((await at.pass()).merchants, ['active']);
  assert.is((await at.system.run('paused')).kind, 'waiting');
  assert.equal(await at.system.settled('paused'), ['1 done']);
  await sql`update lanes set state = 'active'`.execute(at.db);
  assert.is((await at.system.run('paused')).kind, 'caught-up');
  assert.equal(await at.system.settled('paused'), ['1 done', '2 done']);
});

test('a lane of a handler that this release lacks is looked at again after a minute', async () => {
  await using at = await setUp();
  for (const [merchant, type] of [
    ['aside', 'TestEvent'],
    ['gone', 'GoneEvent'],
  ] as const) {
    await at.system.seed(merchant, [{ n: 2 }]);
    await at.system.run(merchant);
    await leaveUnknown(at.db, merchant, type);
    assert.equal((await at.pass()).merchants.includes(merchant), true);
    assert.equal(await at.system.run(merchant), { kind: 'caught-up', events: 0 });
    assert.is((await at.system.lane(merchant)).due_at?.getTime(), at.system.clock.time + MINUTE);
  }
  assert.equal((await at.pass()).merchants, []);

  // At the head, where it keeps what follows waiting.
  await at.system.seed('head', [{ n: 2 }]);
  await sql`insert into lanes (merchant_id) values ('head')`.execute(at.db);
  await leaveUnknown(at.db, 'head', 'TestEvent');
  assert.equal(await at.system.run('head'), { kind: 'waiting', events: 0, until: undefined, wake: 0 });
  assert.is((await at.system.lane('head')).due_at?.getTime(), at.system.clock.time + MINUTE);
});

test('a pass looks at what moved lately; who has been behind for longer is found when Redis may have lost something', async () => {
  await using at = await setUp();
  await at.system.seed('long behind', [{ n: 2 }]);
  await at.system.seed('just behind', [{ n: 2 }]);
  // As if by a clock a little ahead, so that a slow machine does not make it long ago.
  await sql`update mailbox set touched_at = now() + case merchant_id when 'long behind' then interval '-1 hour'
    else interval '4 seconds' end`.execute(at.db);
  assert.equal((await at.pass()).merchants, ['just behind', 'long behind'], 'the first pass is a full one');
  assert.equal((await at.pass()).merchants, ['just behind']);

  await at.redis.del(at.marker);
  assert.equal((await at.pass()).merchants, ['just behind', 'long behind'], 'Redis was emptied');
  assert.equal((await at.pass()).merchants, ['just behind']);

  // After a failover the marker is still there, and the last second is not.
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  at.redis.once('ready', resolve);
  at.redis.disconnect(true);
  await ready;
  assert.equal((await at.pass()).merchants, ['just behind', 'long behind'], 'the connection was lost');
  assert.equal((await at.pass()).merchants, ['just behind']);
});

test('the passes that run all the time read no table as a whole, nor whoever was quiet for a minute', async () => {
  await using at = await setUp();
  await sql`insert into mailbox (merchant_id, next_mseq, last_day, touched_at)
    select 'idle-' || n, 2, '2026-11-23', now() - n % 2 * interval '1 hour' - interval '1 minute'
    from generate_series(1, 10000) n`.execute(at.db);
  await sql`insert into lanes (merchant_id, cursor) select merchant_id, 1 from mailbox`.execute(at.db);
  await sql`analyze mailbox, lanes`.execute(at.db);
  await at.pass();
  const read = async () => {
    // Only what is flushed is counted; the pool's sessions flush when they are idle for a second or asked to.
    await sql`select pg_stat_force_next_flush()`.execute(at.db);
    const { rows } = await sql<{ all: number; byIndex: number }>`
      select sum(seq_tup_read)::int as all, sum(idx_tup_fetch)::int as "byIndex" from pg_stat_user_tables
      where relname in ('mailbox', 'lanes')`.execute(at.db);
    return rows[0] ?? { all: 0, byIndex: 0 };
  };
  const before = await read();
  await at.system.seed('busy', [{ n: 2 }]);
  assert.equal((await at.pass()).merchants, ['busy']);
  const after = await read();
  assert.ok(after.all - before.all < 100, 'rows read without an index');
  assert.ok(after.byIndex - before.byIndex < 100, `${after.byIndex - before.byIndex} rows read by an index`);

  // Who was quiet for a minute and is behind all the same is found by the pass that comes each minute.
  await sql`update mailbox set next_mseq = 3 where merchant_id = 'idle-2'`.execute(at.db);
  await sql`update lanes set updated_at = now() - interval '1 minute'`.execute(at.db);
  assert.equal((await at.pass()).merchants, ['busy']);
  await sql`update sweep_turn set recent_at = now() - interval '1 minute'`.execute(at.db);
  assert.equal((await at.pass()).merchants, ['busy', 'idle-2']);
});

test.run();
