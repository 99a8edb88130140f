import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { workLane } from './act.ts';
import { each } from './testing/one-event-system.ts';
import type { Payload } from './testing/test-event.ts';
import { type HandlerModule, done, skip, snooze } from '../core/events/handler.ts';
import { createRegistry } from '../core/events/registry.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import { seedInbox } from '../core/testing/engine.ts';
import { createWorld } from '../core/testing/world.ts';
import { appliedOrder, lane, run, seed, system } from './testing/act-system.ts';

test('events of a merchant are applied in order, each once, in windows', async () => {
  await using world = await createWorld();
  const { deps } = system(world, { h: { run: each(() => done) } });
  await seed(
    world,
    'm1',
    Array.from({ length: 25 }, (_, n) => ({ n })),
  );
  assert.is((await run(deps, 'm1')).kind, 'caught-up');
  assert.equal(
    await appliedOrder(world, 'm1'),
    Array.from({ length: 25 }, (_, i) => i + 1),
  );
  assert.is((await lane(world, 'm1')).cursor, 25);
  assert.is((await run(deps, 'm1')).kind, 'caught-up');
  assert.is((await appliedOrder(world, 'm1')).length, 25);
});

test('an event of a newer release waits for a worker that knows it, and what came before it does not', async () => {
  await using world = await createWorld();
  const { deps } = system(world, { h: { run: each(() => done) } });
  await seed(world, 'm1', [{ n: 1 }, { n: 2 }]);
  await seedInbox(
    world.postgres.db,
    ['NewerEvent', 'TestEvent'].map((eventType) => ({ merchantId: 'm1', eventType, payload: { n: 3 } })),
  );
  for (let visit = 0; visit < 2; visit++) {
    const error = await run(deps, 'm1').catch((reason: unknown) => reason);
    assert.is(error instanceof LanewayError && error.code, 'envelope.unknown_type');
    assert.equal([(await lane(world, 'm1')).cursor, await appliedOrder(world, 'm1')], [2, [1, 2]]);
  }
});

test('a failing event holds its merchant, good ones before it commit, and it is retried at the head until it is poison', async () => {
  await using world = await createWorld();
  let calls = 0;
  const failing = each((n) => {
    if (n !== 3) return done;
    calls += 1;
    throw new Error('cannot do 3');
  });
  const { deps, clock } = system(world, { h: { run: failing } });
  await seed(world, 'm1', [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }, { n: 5 }]);

  const first = await run(deps, 'm1');
  assert.is(first.kind, 'waiting');
  assert.equal(await appliedOrder(world, 'm1'), [1, 2]);
  for (const backoff of [1_000, 2_000, 4_000]) {
    const delivery = await world.postgres.db.selectFrom('deliveries').selectAll().executeTakeFirstOrThrow();
    assert.is(delivery.not_before?.getTime(), clock.time + backoff);
    clock.time += backoff - 1;
    assert.is((await run(deps, 'm1')).kind, 'waiting');
    clock.time += 1;
    const end = await run(deps, 'm1');
    assert.is(end.kind, backoff === 4_000 ? 'caught-up' : 'waiting');
  }
  assert.is(calls, 1 + 4, 'once in the window, then four attempts: the first and three retries');
  assert.equal(await appliedOrder(world, 'm1'), [1, 2, 4, 5]);
  const dead = await world.postgres.db.selectFrom('settlements').selectAll().where('outcome', '=', 'dead').execute();
  assert.equal(
    dead.map((row) => [row.mseq, row.reason, row.attempts]),
    [[3, 'handler.failed', 4]],
  );
  const letters = await world.postgres.db.selectFrom('outbox').selectAll().execute();
  assert.equal(
    letters.map((row) => [row.stream, row.destination, row.attributes['handler'], row.attributes['attempts']]),
    [['dead-letters', 'queue:TestDLQ', 'h', '4']],
  );
  assert.is((await lane(world, 'm1')).open_deliveries, 0);
});

test('each handler of an event settles on its own: one that fails neither repeats nor loses the other', async () => {
  await using world = await createWorld();
  const ran: string[] = [];
  const good = each((n) => (ran.push(`good ${n}`), done));
  const bad = each((n) => {
    if (n === 1) throw new LanewayError('payload.invalid', 'never', { retry: 'never' });
    return done;
  });
  const { deps } = system(world, { good: { run: good }, bad: { run: bad } });
  await seed(world, 'm1', [{ n: 1 }, { n: 2 }]);
  assert.is((await run(deps, 'm1')).kind, 'caught-up');
  const rows = await world.postgres.db
    .selectFrom('settlements')
    .select(['mseq', 'handler', 'outcome'])
    .orderBy('settled_seq')
    .execute();
  assert.equal(
    rows.map((r) => `${r.mseq} ${r.handler} ${r.outcome}`),
    ['1 good done', '1 bad dead', '2 good done', '2 bad done'],
  );
});

test('a handler that holds its aggregate sets the event aside with those behind it; the rest flows', async () => {
  await using world = await createWorld();
  let broken = true;
  const order: string[] = [];
  const handler = each((n, event) => {
    if (broken && n === 1) throw new Error('not yet');
    order.push(`${event.payload.key ?? ''}${n}`);
    return done;
  });
  const { deps, clock } = system(world, { h: { holds: 'aggregate', run: handler } });
  await seed(world, 'm1', [
    { n: 1, key: 'a' },
    { n: 2, key: 'b' },
    { n: 3, key: 'a' },
    { n: 4, key: 'a' },
    { n: 5, key: 'b' },
  ]);
  assert.is((await run(deps, 'm1')).kind, 'caught-up');
  assert.equal(await appliedOrder(world, 'm1'), [2, 5]);
  assert.is((await lane(world, 'm1')).open_deliveries, 3);
  assert.ok((await lane(world, 'm1')).due_at);
  broken = false;
  clock.time += 60_000;
  assert.is((await run(deps, 'm1')).kind, 'caught-up');
  assert.equal(await appliedOrder(world, 'm1'), [2, 5, 1, 3, 4]);
  assert.is((await lane(world, 'm1')).open_deliveries, 0);
});

test('a poison event that is kept parks its aggregate; one that holds the merchant blocks the lane', async () => {
  await using world = await createWorld();
  const poison = each((n) => {
    if (n === 1) throw new LanewayError('payload.invalid', 'never', { retry: 'never' });
    return done;
  });
  const aggregate = system(world, { h: { holds: 'aggregate', onPoison: 'keep', run: poison } });
  await seed(world, 'm1', [
    { n: 1, key: 'a' },
    { n: 2, key: 'a' },
    { n: 3, key: 'b' },
  ]);
  await run(aggregate.deps, 'm1');
  assert.equal(await appliedOrder(world, 'm1'), [3]);
  const kept = await world.postgres.db.selectFrom('deliveries').select(['mseq', 'state']).orderBy('mseq').execute();
  assert.equal(kept, [
    { mseq: 1, state: 'parked' },
    { mseq: 2, state: 'behind' },
  ]);

  const merchant = system(world, { h: { holds: 'merchant', onPoison: 'keep', run: poison } });
  await seed(world, 'm2', [{ n: 1 }, { n: 2 }]);
  assert.is((await run(merchant.deps, 'm2')).kind, 'waiting');
  assert.is((await lane(world, 'm2')).state, 'blocked');
  assert.equal(await appliedOrder(world, 'm2'), []);
});

test('a snoozed event waits without using an attempt', async () => {
  await using world = await createWorld();
  let ready = false;
  const { deps, clock } = system(world, {
    h: { run: each((n) => (n === 2 && !ready ? snooze(5_000, 'later') : done)) },
  });
  await seed(world, 'm1', [{ n: 1 }, { n: 2 }, { n: 3 }]);
  for (let i = 0; i < 6; i++) {
    assert.is((await run(deps, 'm1')).kind, 'waiting');
    clock.time += 5_000;
  }
  assert.equal(await appliedOrder(world, 'm1'), [1]);
  ready = true;
  assert.is((await run(deps, 'm1')).kind, 'caught-up');
  assert.equal(await appliedOrder(world, 'm1'), [1, 2, 3]);
});

test('a skipped event is settled with its reason and is no effect', async () => {
  await using world = await createWorld();
  const { deps } = system(world, { h: { run: each(() => skip('superseded')) } });
  await seed(world, 'm1', [{ n: 1 }]);
  await run(deps, 'm1');
  const row = await world.postgres.db.selectFrom('settlements').selectAll().executeTakeFirstOrThrow();
  assert.equal([row.outcome, row.reason], ['skip', 'superseded']);
  assert.equal(await appliedOrder(world, 'm1'), []);
});

test('types keep their order within a window, however handlers group them', async () => {
  await using world = await createWorld();
  const order: number[] = [];
  const many: HandlerModule = {
    handleMany: (events) => {
      order.push(...events.map((event) => (event.payload as Payload).n));
      return Promise.resolve(events.map(() => done));
    },
  };
  const one = system(world, { h: { run: many } });
  const two = system(world, { g: { run: many } }, { name: 'OtherEvent', id: 'evt_other', routingKey: 'other' });
  const definitions = [one, two].flatMap(({ deps }) => [...deps.registry.values()]);
  const deps = {
    ...one.deps,
    registry: createRegistry(definitions),
    handlers: new Map([
      ['h', many],
      ['g', many],
    ]),
  };
  await seedInbox(
    world.postgres.db,
    [1, 2, 3, 4, 5].map((n) => ({
      merchantId: 'm1',
      eventType: n % 3 === 0 ? 'OtherEvent' : 'TestEvent',
      payload: { n },
    })),
  );
  await run(deps, 'm1');
  assert.equal(order, [1, 2, 3, 4, 5]);
});

test('events that hold nothing go in one call for the window, and do not cut the runs of those that keep order', async () => {
  await using world = await createWorld();
  const calls: string[] = [];
  const many = (name: string): HandlerModule => ({
    handleMany: (events) => {
      calls.push(`${name} ${events.map((event) => (event.payload as Payload).n).join(' ')}`);
      return Promise.resolve(events.map(() => done));
    },
  });
  const ordered = system(world, { h: { run: many('ordered') } });
  const free = system(
    world,
    { g: { holds: 'event', run: many('free') } },
    { name: 'OtherEvent', id: 'evt_other', routingKey: 'other' },
  );
  const deps = {
    ...ordered.deps,
    registry: createRegistry([ordered, free].flatMap(({ deps: { registry } }) => [...registry.values()])),
    handlers: new Map([...ordered.deps.handlers, ...free.deps.handlers]),
  };
  await seedInbox(
    world.postgres.db,
    [1, 2, 3, 4, 5, 6].map((n) => ({
      merchantId: 'm1',
      eventType: n % 2 === 0 ? 'OtherEvent' : 'TestEvent',
      payload: { n },
    })),
  );
  await run(deps, 'm1');
  assert.equal(calls, ['ordered 1 3 5', 'free 2 4 6']);
  assert.equal(await appliedOrder(world, 'm1'), [1, 2, 3, 4, 5, 6]);
});

test('events that a handler emits leave with its commit, with ids derived from their cause', async () => {
  await using world = await createWorld();
  let fail = true;
  const emitting = each((n, event, context) => {
    context.emit(event, { eventType: 'TestEvent', payload: { n: n + 100 } });
    if (fail) throw new Error('after emitting');
    return done;
  });
  const { deps, clock } = system(world, { h: { run: emitting } });
  await seed(world, 'm1', [{ n: 1 }]);
  await run(deps, 'm1');
  assert.equal(await world.postgres.db.selectFrom('outbox').selectAll().execute(), []);
  fail = false;
  clock.time += 60_000;
  await run(deps, 'm1');
  const rows = await world.postgres.db.selectFrom('outbox').selectAll().execute();
  assert.equal(
    rows.map((r) => [r.stream, r.destination, r.seq, r.event_id]),
    [['events', 'queue:TestQueue', 1, rows[0]?.event_id]],
  );
  assert.match(rows[0]?.event_id ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-8/);
});

test('a quantum ends the visit and leaves the rest for the next turn', async () => {
  await using world = await createWorld();
  const { deps } = system(world, { h: { run: each(() => done) } });
  await seed(
    world,
    'm1',
    Array.from({ length: 30 }, (_, n) => ({ n })),
  );
  const end = await run({ ...deps, quantumWindows: 2 }, 'm1');
  assert.equal(end, { kind: 'yield', events: 20 });
});

test('a visit ends after a window while others wait for its place, but not while it narrows one down', async () => {
  await using world = await createWorld();
  let others = true;
  // Fails in the company of others only.
  const together: HandlerModule = {
    handleMany: (events) =>
      events.length > 1 && events.some(({ mseq }) => mseq === 14)
        ? Promise.reject(new Error('no'))
        : Promise.resolve(events.map(() => done)),
  };
  const { deps } = system(world, { h: { run: together } });
  await seed(
    world,
    'm1',
    Array.from({ length: 40 }, (_, n) => ({ n })),
  );
  const visit = () =>
    workLane(deps, 'm1', { careful: false, stop: new AbortController().signal, othersWait: () => others });
  assert.equal(await visit(), { kind: 'yield', events: 10 });
  assert.equal(await visit(), { kind: 'yield', events: 10 }, 'the window with the one that fails, in parts');
  others = false;
  assert.equal(await visit(), { kind: 'caught-up', events: 20 });
});

test.run();
