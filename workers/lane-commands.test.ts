import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { done, snooze } from '../core/events/handler.ts';
import {
  type Verdict,
  drainLane,
  limitLane,
  pauseLane,
  resumeLane,
  unblockLane,
  weighLane,
} from '../core/operations/lane-commands.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import { asRole } from '../core/testing/as-role.ts';
import { waitFor } from '../core/testing/wait-for.ts';
import { createWorld } from '../core/testing/world.ts';
import { each, numbered, oneEventSystem } from './testing/one-event-system.ts';

const requester = { by: 'ada', reason: 'a test' };

async function setUp(system: Parameters<typeof oneEventSystem> extends [unknown, ...infer Rest] ? Rest : never) {
  const world = await createWorld();
  const operator = asRole(world, 'laneway_operator');
  const { db } = world.postgres;
  return {
    ...oneEventSystem(world, ...system),
    db,
    operator: operator.db,
    actions: async () => {
      const rows = await db.selectFrom('operator_actions').selectAll().orderBy('id').execute();
      return rows.map((row) => `${row.action} ${row.merchant_id ?? ''} by ${row.requested_by}: ${row.reason}`);
    },
    async [Symbol.asyncDispose]() {
      await operator.close();
      await world[Symbol.asyncDispose]();
    },
  };
}

test('a paused lane works nothing, a resumed one goes on where it was, and commands said twice are said once', async () => {
  await using world = await setUp([each(() => done)]);
  const { operator, clock, visit, seed, applied, lane } = world;
  await seed('m1', numbered(1, 3));
  const command = { merchantId: 'm1', requester };
  const paused = await pauseLane(operator, command, clock.time);
  assert.equal([paused.changed, paused.before.state, paused.after.state], [true, 'active', 'paused']);
  assert.equal(
    [paused.after.by, paused.after.reason, paused.after.since],
    ['ada', 'a test', new Date(clock.time).toISOString()],
  );
  assert.is((await pauseLane(operator, command, clock.time)).changed, false);
  assert.equal(await visit('m1'), { kind: 'waiting', events: 0, until: undefined, wake: 0 });
  assert.equal(await applied('m1'), []);

  const resumed = await resumeLane(operator, command, clock.time);
  assert.equal([resumed.changed, resumed.after.state, resumed.after.by], [true, 'active', null]);
  const { wake, due_at } = await lane('m1');
  assert.equal([wake, due_at], [1, new Date(clock.time)], 'a suspending actor and the sweeper both see it');
  assert.is((await resumeLane(operator, command, clock.time)).changed, false);
  assert.equal(await visit('m1'), { kind: 'caught-up', events: 3 });
  assert.equal(await applied('m1'), [1, 2, 3]);
  assert.is((await lane('m1')).due_at, null);
  assert.equal(await world.actions(), ['pause m1 by ada: a test', 'resume m1 by ada: a test']);
});

test('a lane that is resumed with nothing to do is not due for ever, and one whose head waits is not spun', async () => {
  await using world = await setUp([each((n) => (n === 2 ? snooze(5_000, 'later') : done))]);
  const { operator, clock, visit, seed, lane } = world;
  await seed('m1', numbered(1, 1));
  await visit('m1');
  const command = { merchantId: 'm1', requester };
  for (const change of [pauseLane, resumeLane]) await change(operator, command, clock.time);
  assert.equal(await visit('m1'), { kind: 'caught-up', events: 0 });
  assert.is((await lane('m1')).due_at, null);

  await seed('m1', numbered(2, 2));
  await visit('m1');
  const until = new Date(clock.time + 5_000);
  for (const change of [pauseLane, resumeLane]) await change(operator, command, clock.time);
  assert.equal(await visit('m1'), { kind: 'waiting', events: 0, until, wake: 2 });
});

test('a command waits for the window in hand, and no later window overwrites it', async () => {
  let reached = (): void => undefined;
  let release = (): void => undefined;
  const inHand = new Promise<void>((resolve) => (reached = resolve));
  const gate = new Promise<void>((resolve) => (release = resolve));
  const slow = each(async (n) => {
    if (n !== 2) return done;
    reached();
    await gate;
    return done;
  });
  await using world = await setUp([slow, {}, { windowEvents: 2 }]);
  const { operator, clock, visit, seed, applied, lane } = world;
  await seed('m1', numbered(1, 80));
  const visiting = visit('m1');
  await inHand;
  const pausing = pauseLane(operator, { merchantId: 'm1', requester }, clock.time);
  await waitFor('the command to wait for the lane', async () => {
    const waiting = await sql`
      select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
    `.execute(world.db);
    return waiting.rows.length > 0;
  });
  release();
  assert.is((await pausing).changed, true);
  assert.is((await visiting).kind, 'waiting');
  const { state, cursor } = await lane('m1');
  assert.is(state, 'paused');
  const worked = await applied('m1');
  assert.ok(worked.length >= 2 && worked.length < 80, 'it came between two windows');
  assert.is(worked.length, cursor);
});

test('a draining lane works what was accepted before the command, retries included, and is then paused', async () => {
  let failing = true;
  const handler = each((n) => {
    if (n === 2 && failing) throw new Error('not yet');
    return done;
  });
  await using world = await setUp([handler, { holds: 'aggregate' }]);
  const { operator, clock, visit, seed, applied, lane } = world;
  await seed(
    'm1',
    numbered(1, 3).map((p) => ({ ...p, key: `k${p.n}` })),
  );
  const drained = await drainLane(operator, { merchantId: 'm1', requester }, clock.time);
  assert.equal([drained.after.state, drained.after.drainTo], ['active', 3]);
  assert.is((await drainLane(operator, { merchantId: 'm1', requester }, clock.time)).changed, false);
  await seed('m1', numbered(4, 6));
  await visit('m1');
  assert.equal(await applied('m1'), [1, 3]);
  assert.is((await lane('m1')).state, 'active', 'its second event is still to be tried again');
  failing = false;
  clock.time += 1_000;
  assert.is((await visit('m1')).kind, 'waiting');
  assert.equal(await applied('m1'), [1, 3, 2]);
  const { state, drain_to, state_by } = await lane('m1');
  assert.equal([state, drain_to, state_by], ['paused', null, 'ada']);
  await resumeLane(operator, { merchantId: 'm1', requester }, clock.time);
  await visit('m1');
  assert.equal(await applied('m1'), [1, 3, 2, 4, 5, 6]);
});

test('draining a lane that is caught up pauses it at its next visit', async () => {
  await using world = await setUp([each(() => done)]);
  const { operator, clock, visit, seed, lane } = world;
  await seed('m1', numbered(1, 1));
  await visit('m1');
  await drainLane(operator, { merchantId: 'm1', requester }, clock.time);
  assert.ok((await lane('m1')).due_at, 'the sweeper finds it, should Redis not hear of the command');
  await visit('m1');
  assert.is((await lane('m1')).state, 'paused');
});

test('a paused lane is not drained: whoever asks for it is told to resume it first', async () => {
  await using world = await setUp([each(() => done)]);
  const { operator, clock, seed, lane } = world;
  await seed('m1', numbered(1, 1));
  await pauseLane(operator, { merchantId: 'm1', requester }, clock.time);
  const refusal = await drainLane(operator, { merchantId: 'm1', requester }, clock.time).catch((e: unknown) => e);
  assert.ok(refusal instanceof LanewayError && refusal.code === 'operators.refused');
  assert.match(refusal.message, '`resume` it first');
  const { state, drain_to } = await lane('m1');
  assert.equal([state, drain_to], ['paused', null]);
});

const blockedLane = async (broken: { now: boolean }) => {
  const world = await setUp([
    each((n) => {
      if (n === 2 && broken.now) throw new LanewayError('payload.invalid', 'never');
      return done;
    }),
    { onPoison: 'keep' },
  ]);
  await world.seed('m1', numbered(1, 4));
  await world.visit('m1');
  assert.is((await world.lane('m1')).state, 'blocked');
  assert.equal(await world.applied('m1'), [1]);
  return world;
};
const unblock = (world: Awaited<ReturnType<typeof blockedLane>>, verdict: Verdict) =>
  unblockLane(world.operator, { merchantId: 'm1', requester, verdict }, world.clock.time);

test('unblocking tries the head again, and blocks again if it fails again; the lane follows in order', async () => {
  const broken = { now: true };
  await using world = await blockedLane(broken);
  assert.is((await unblock(world, 'retry')).after.state, 'active');
  await world.visit('m1');
  assert.is((await world.lane('m1')).state, 'blocked');
  const [first] = await world.db.selectFrom('redrives').selectAll().execute();
  assert.is(first?.result, 'parked', 'the command is over, it is not tried for ever');
  broken.now = false;
  await unblock(world, 'retry');
  assert.equal(await world.visit('m1'), { kind: 'caught-up', events: 3 });
  assert.equal(await world.applied('m1'), [1, 2, 3, 4]);
  assert.is((await unblock(world, 'retry')).changed, false);
});

test('a blocked head can be skipped, or dead-lettered: its handler is not run, and the rest follows', async () => {
  for (const [verdict, outcome, letters] of [
    ['skip', 'skip', 0],
    ['dead', 'dead', 1],
  ] as const) {
    await using world = await blockedLane({ now: true });
    await unblock(world, verdict);
    await world.visit('m1');
    assert.equal(await world.applied('m1'), [1, 3, 4]);
    const settled = await world.db
      .selectFrom('settlements')
      .selectAll()
      .where('mseq', '=', 2)
      .executeTakeFirstOrThrow();
    assert.equal([settled.outcome, settled.attempts], [outcome, 1]);
    const outbox = await world.db.selectFrom('outbox').select('attributes').execute();
    assert.is(outbox.length, letters);
    if (letters > 0) assert.is(outbox[0]?.attributes['errorCode'], 'payload.invalid');
    const [command] = await world.db.selectFrom('redrives').selectAll().execute();
    assert.equal([command?.requested_by, command?.result], ['ada', outcome]);
  }
});

test('a command that does not fit the state is refused with the one that does, and changes nothing', async () => {
  await using world = await blockedLane({ now: true });
  const { operator, clock, lane } = world;
  for (const change of [pauseLane, resumeLane, drainLane]) {
    const refusal = await change(operator, { merchantId: 'm1', requester }, clock.time).catch((e: unknown) => e);
    assert.ok(refusal instanceof LanewayError && refusal.code === 'operators.refused');
    assert.match(refusal.message, 'unblock');
  }
  assert.is((await lane('m1')).state, 'blocked');
  assert.equal(await world.actions(), []);
  const unknown = await pauseLane(operator, { merchantId: 'nobody', requester }, clock.time).catch((e: unknown) => e);
  assert.ok(unknown instanceof LanewayError && unknown.code === 'resource.not_found');
});

test('weight and rate are set at run time; a new rate starts with a second in store', async () => {
  await using world = await setUp([each(() => done)]);
  const { operator, clock, seed, lane } = world;
  await seed('m1', numbered(1, 1));
  const command = { merchantId: 'm1', requester };
  assert.is((await weighLane(operator, { ...command, weight: 3 }, clock.time)).after.weight, 3);
  assert.is((await limitLane(operator, { ...command, ratePerSecond: 2.5 }, clock.time)).after.ratePerSecond, 2.5);
  const { weight, rate_tokens, wake, due_at } = await lane('m1');
  assert.equal([weight, rate_tokens, wake, due_at], [3, 2.5, 1, new Date(clock.time)]);
  assert.is((await limitLane(operator, { ...command, ratePerSecond: null }, clock.time)).after.ratePerSecond, null);
  assert.is((await limitLane(operator, { ...command, ratePerSecond: null }, clock.time)).changed, false);
});

test('an operator can neither move a cursor nor take a lane, nor change what was recorded', async () => {
  await using world = await setUp([each(() => done)]);
  await world.seed('m1', numbered(1, 1));
  await pauseLane(world.operator, { merchantId: 'm1', requester }, world.clock.time);
  for (const statement of [
    sql`update lanes set cursor = 1`,
    sql`update lanes set owner = 'me'`,
    sql`update operator_actions set reason = 'another'`,
    sql`delete from operator_actions`,
    sql`delete from redrives`,
    sql`update settlements set outcome = 'done'`,
    sql`update inbox set body = ''`,
    sql`select key_hash from api_keys`,
  ]) {
    const error = await statement.execute(world.operator).catch((thrown: unknown) => thrown);
    assert.match(String(error), 'permission denied');
  }
});

test.run();
