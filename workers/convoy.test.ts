import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type CommittedLane, newTenure } from './act.ts';
import { type ConvoyDependencies, type ConvoyEnd, workConvoy } from './convoy.ts';
import { createConvoyPace } from './convoy-pace.ts';
import { payload, testEvent } from './testing/test-event.ts';
import type { LanewayEvent } from '../core/events/envelope.ts';
import { type HandlerContext, type HandlerModule, type Outcome, done, snooze } from '../core/events/handler.ts';
import { createRegistry } from '../core/events/registry.ts';
import { systemClock } from '../core/runtime/clock.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import { seedInbox } from '../core/testing/engine.ts';
import { waitFor } from '../core/testing/wait-for.ts';
import { createWorld } from '../core/testing/world.ts';

const definitionOf = (name: string) =>
  testEvent({ [`handle${name}`]: {} }, { id: `evt_${name}`, name, routingKey: `test.${name}`, aggregate: () => 'all' });

type Many = (events: readonly LanewayEvent[], context: HandlerContext) => Promise<readonly Outcome[]>;

/** A system of the events A and B, whose handlers record each call as `merchant:type n`. */
async function setup(handlers: { a?: HandlerModule; b?: HandlerModule } = {}) {
  const world = await createWorld();
  const { db } = world.postgres;
  await sql`create table notes (merchant_id text primary key, n int)`.execute(db);
  await sql`grant all on notes to public`.execute(db);
  const calls: string[][] = [];
  const committed: CommittedLane[] = [];
  const record: Many = (events) => {
    calls.push(
      events.map(({ merchantId, eventType, payload: p }) => `${merchantId}:${eventType}${payload.parse(p).n}`),
    );
    return Promise.resolve(events.map(() => done));
  };
  const recording: HandlerModule = { handleMany: record };
  const deps: ConvoyDependencies = {
    registry: createRegistry([definitionOf('A'), definitionOf('B')]),
    handlers: new Map([
      ['handleA', handlers.a ?? recording],
      ['handleB', handlers.b ?? recording],
    ]),
    random: () => 0,
    pool: world.postgres.pool,
    clock: systemClock,
    pace: createConvoyPace({ most: 100, meantMs: 10_000 }),
    convoyMs: 10_000,
    callMs: 10_000,
    committed: (lanes) => void committed.push(...lanes),
    lockTimeoutMs: 50,
    limits: {
      windowEvents: 10,
      windowBytes: 1_000_000,
      convoyLanes: 8,
      convoyEvents: 100,
      convoyBytes: 1_000_000,
      quantumWindows: 4,
      quantumMs: 2_000,
    },
  };
  const tenures = (...merchants: string[]) => new Map(merchants.map((merchant) => [merchant, newTenure('test')]));
  return {
    db,
    calls,
    committed,
    record,
    deps,
    tenures,
    work: (owners: ReturnType<typeof tenures>, overrides: Partial<ConvoyDependencies> = {}) =>
      workConvoy({ ...deps, ...overrides }, owners, new AbortController().signal),
    seed: (merchantId: string, ...types: string[]) =>
      seedInbox(
        db,
        types.map((eventType, i) => ({ merchantId, eventType, payload: { n: i + 1 } })),
      ),
    applied: async () => {
      const { rows } = await sql<{ merchant: string; mseqs: number[] }>`
        select merchant_id as merchant, array_agg(mseq::int order by settled_seq) as mseqs
        from applied group by merchant_id order by merchant_id`.execute(db);
      return Object.fromEntries(rows.map(({ merchant, mseqs }) => [merchant, mseqs]));
    },
    commits: async () => {
      const { rows } = await sql<{ n: number }>`select count(distinct xmin::text)::int as n from settlements`.execute(
        db,
      );
      return rows[0]?.n;
    },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

const kinds = (ends: ReadonlyMap<string, ConvoyEnd>) =>
  Object.fromEntries(
    [...ends].map(([merchant, end]) => [merchant, end.kind === 'alone' ? `alone, failed: ${end.failed}` : end.kind]),
  );

/** Fails for one merchant, wherever its event stands in the call. */
const failsFor =
  (culprit: string, record: Many): Many =>
  (events, context) =>
    events.some(({ merchantId }) => merchantId === culprit) ? Promise.reject(new Error('no')) : record(events, context);

test('lanes share one commit, each in its order, and know where they stand', async () => {
  await using s = await setup();
  for (const merchant of ['m1', 'm2', 'm3']) await s.seed(merchant, 'A', 'A', 'A');
  const owners = s.tenures('m1', 'm2', 'm3', 'idle');
  assert.equal(kinds(await s.work(owners)), { m1: 'worked', m2: 'worked', m3: 'worked', idle: 'caught-up' });
  assert.equal(await s.applied(), { m1: [1, 2, 3], m2: [1, 2, 3], m3: [1, 2, 3] });
  assert.is(await s.commits(), 1);
  assert.is(s.calls.length, 1, 'a handler is called once for all');
  await s.seed('m1', 'A');
  assert.equal(kinds(await s.work(owners)), { m1: 'worked', m2: 'caught-up', m3: 'caught-up', idle: 'caught-up' });
  assert.equal((await s.applied())['m1'], [1, 2, 3, 4]);
});

test('no merchant’s types are reordered by calling handlers for many merchants at once', async () => {
  await using s = await setup();
  await s.seed('m1', 'A', 'B', 'A', 'A', 'B');
  await s.seed('m2', 'B', 'A');
  await s.seed('m3', 'A', 'A');
  await s.work(s.tenures('m1', 'm2', 'm3'));
  const ofMerchant = (merchant: string) => s.calls.flat().filter((call) => call.startsWith(`${merchant}:`));
  assert.equal(ofMerchant('m1'), ['m1:A1', 'm1:B2', 'm1:A3', 'm1:A4', 'm1:B5']);
  assert.equal(ofMerchant('m2'), ['m2:B1', 'm2:A2']);
  assert.equal(ofMerchant('m3'), ['m3:A1', 'm3:A2']);
  assert.ok(s.calls.length < 8, 'they were grouped');
});

test('a lane contributes its share of a transaction and says that there is more', async () => {
  await using s = await setup();
  for (const merchant of ['m1', 'm2']) await s.seed(merchant, ...Array<string>(6).fill('A'));
  const pace = createConvoyPace({ most: 8, meantMs: 10_000 });
  const ends = await s.work(s.tenures('m1', 'm2'), { pace });
  assert.equal(await s.applied(), { m1: [1, 2, 3, 4], m2: [1, 2, 3, 4] });
  assert.equal(
    [...ends.values()].map((end) => end.kind === 'worked' && end.more),
    [true, true],
  );
});

test('a failing event leaves its lane to be judged alone, and costs the others nothing that is seen', async () => {
  const handle: HandlerModule = {
    handle: ({ merchantId }) => (merchantId === 'm2' ? Promise.reject(new Error('no')) : Promise.resolve(done)),
  };
  await using s = await setup({ a: handle });
  for (const merchant of ['m1', 'm2', 'm3', 'm4']) await s.seed(merchant, 'A', 'A');
  const ends = await s.work(s.tenures('m1', 'm2', 'm3', 'm4'));
  assert.equal(kinds(ends), { m1: 'worked', m2: 'alone, failed: false', m3: 'worked', m4: 'worked' });
  assert.equal(await s.applied(), { m1: [1, 2], m3: [1, 2], m4: [1, 2] });
  assert.is(await s.commits(), 1, 'the culprit was known, the rest went on together');
  const deliveries = await s.db.selectFrom('deliveries').selectAll().execute();
  assert.equal(deliveries, [], 'no attempt is counted in a shared transaction');
});

test('a lane whose event fails contributes what came before it, and nothing of what failed is left behind', async () => {
  const write: Many = async (events, context) => {
    for (const event of events) {
      await sql`insert into notes values (${`${event.merchantId} ${event.mseq}`}, 1)`.execute(context.trx);
      context.emit(event, { eventType: 'A', payload: { n: 1 } });
    }
    if (events.some(({ merchantId, mseq }) => merchantId === 'm1' && mseq === 3)) throw new Error('no');
    return events.map(() => done);
  };
  await using s = await setup({ b: { handle: async (event, context) => (await write([event], context))[0] ?? done } });
  await s.seed('m1', 'A', 'B', 'B', 'A');
  await s.seed('m2', 'A', 'B', 'A');
  const owners = s.tenures('m1', 'm2');
  assert.equal(kinds(await s.work(owners)), { m1: 'alone, failed: false', m2: 'worked' });
  assert.equal(await s.applied(), { m1: [1], m2: [1, 2, 3] }, 'its two Bs are one call');
  assert.is(owners.get('m1')?.expectedCursor, 1, 'it goes on from there');
  const notes = await s.db.selectFrom('outbox').select('merchant_id').execute();
  assert.equal(notes, [{ merchant_id: 'm2' }]);
  const { rows } = await sql<{ id: string }>`select merchant_id as id from notes`.execute(s.db);
  assert.equal(rows, [{ id: 'm2 2' }]);
});

test('a failure of which nobody knows whose it is, is found lane by lane', async () => {
  await using s = await setup();
  const merchants = ['m1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7', 'm8'];
  for (const merchant of merchants) await s.seed(merchant, 'A');
  const handlers = new Map([['handleA', { handleMany: failsFor('m6', s.record) }]]);
  const ends = await s.work(s.tenures(...merchants), { handlers });
  assert.equal(kinds(ends)['m6'], 'alone, failed: true');
  assert.equal(Object.keys(await s.applied()), ['m1', 'm2', 'm3', 'm4', 'm5', 'm7', 'm8']);
  assert.is(await s.commits(), 1);
});

test('however many lanes fail, the good ones are run a few times and not once for each', async () => {
  const good = ['g1', 'g2', 'g3', 'g4', 'g5', 'g6', 'g7', 'g8'];
  const bad = ['x1', 'x2', 'x3', 'x4', 'x5', 'x6', 'x7', 'x8'];
  const runs = new Map<string, number>();
  const handle: HandlerModule = {
    handle: ({ merchantId }) => {
      runs.set(merchantId, (runs.get(merchantId) ?? 0) + 1);
      return merchantId.startsWith('x') ? Promise.reject(new Error('no')) : Promise.resolve(done);
    },
  };
  await using s = await setup({ a: handle });
  for (const merchant of [...good, ...bad]) await s.seed(merchant, 'A');
  const ends = await s.work(s.tenures(...good, ...bad));
  assert.equal(Object.keys(await s.applied()), good);
  assert.ok(bad.every((merchant) => kinds(ends)[merchant]?.startsWith('alone')));
  assert.ok(good.every((merchant) => (runs.get(merchant) ?? 0) <= 3));
  assert.is(await s.commits(), 1);
});

test('what fails although later events of its lane have run takes its whole window back', async () => {
  const anyOrder = testEvent({ handleV: { holds: 'event' } }, { id: 'evt_V', name: 'V', routingKey: 'test.V' });
  await using s = await setup();
  const registry = createRegistry([definitionOf('A'), definitionOf('B'), anyOrder]);
  const failing: HandlerModule = { handle: () => Promise.reject(new Error('no')) };
  const handlers = new Map([...s.deps.handlers, ['handleV', failing]]);
  await s.seed('m1', 'V', 'A');
  await s.seed('m2', 'A');
  const ends = await s.work(s.tenures('m1', 'm2'), { registry, handlers });
  assert.equal(kinds(ends), { m1: 'alone, failed: true', m2: 'worked' });
  assert.equal(await s.applied(), { m2: [1] });
});

test('a deadlock gives all locks up, and the lanes are tried again in halves', async () => {
  let deadlocks = 0;
  await using s = await setup();
  const handleMany: Many = (events, context) => {
    if (events.length < 4) return s.record(events, context);
    deadlocks += 1;
    return Promise.reject(Object.assign(new Error('deadlock detected'), { code: '40P01' }));
  };
  const merchants = ['m1', 'm2', 'm3', 'm4'];
  for (const merchant of merchants) await s.seed(merchant, 'A');
  const ends = await s.work(s.tenures(...merchants), { handlers: new Map([['handleA', { handleMany }]]) });
  assert.ok([...ends.values()].every(({ kind }) => kind === 'worked'));
  assert.is(deadlocks, 1);
  assert.is(await s.commits(), 2);
});

test('a server that goes away during a call is told of in its own words', async () => {
  const gone = Object.assign(new Error('terminating connection due to administrator command'), { code: '57P01' });
  await using s = await setup({ a: { handleMany: () => Promise.reject(gone) } });
  for (const merchant of ['m1', 'm2']) await s.seed(merchant, 'A');
  assert.is(await s.work(s.tenures('m1', 'm2')).catch((error: unknown) => error), gone);
});

test('an event that this release does not know ends the window before it, and keeps its own lane waiting and no other', async () => {
  await using s = await setup();
  for (const merchant of ['m1', 'm2', 'm3']) await s.seed(merchant, 'A');
  await s.seed('newer', 'A', 'B', 'A');
  const registry = createRegistry([definitionOf('A')]);
  const owners = s.tenures('m1', 'm2', 'm3', 'newer');
  const first = await s.work(owners, { registry });
  assert.equal(kinds(first), { m1: 'worked', m2: 'worked', m3: 'worked', newer: 'worked' });
  assert.equal(first.get('newer'), { kind: 'worked', more: true, weight: 1 });
  assert.equal(await s.applied(), { m1: [1], m2: [1], m3: [1], newer: [1] });
  assert.is(await s.commits(), 1);
  await s.seed('m1', 'A');
  assert.equal(kinds(await s.work(s.tenures('m1', 'newer'), { registry })), {
    m1: 'worked',
    newer: 'alone, failed: true',
  });
});

test('what a convoy has no time for is put back, and who was not running is not blamed', async () => {
  const clock = { ...systemClock, now: () => nowMs };
  let nowMs = Date.now();
  const hang: HandlerModule = {
    handle: () => {
      nowMs += 60_000;
      return new Promise(() => undefined);
    },
  };
  await using s = await setup({ a: hang });
  const merchants = ['m1', 'm2', 'm3', 'm4'];
  for (const merchant of merchants) await s.seed(merchant, 'A');
  const ends = await s.work(s.tenures(...merchants), { callMs: 200, convoyMs: 100_000, clock });
  assert.equal(kinds(ends), {
    m1: 'alone, failed: true',
    m2: 'alone, failed: true',
    m3: 'put-back',
    m4: 'put-back',
  });
});

test('a snooze is not for a shared transaction', async () => {
  const handle: HandlerModule = {
    handle: ({ merchantId }) => Promise.resolve(merchantId === 'm1' ? snooze(1_000, 'not yet') : done),
  };
  await using s = await setup({ a: handle });
  for (const merchant of ['m1', 'm2']) await s.seed(merchant, 'A');
  assert.equal(kinds(await s.work(s.tenures('m1', 'm2'))), { m1: 'alone, failed: false', m2: 'worked' });
});

test('a handler that takes too long is left alone, and the others go on without it', async () => {
  const handle: HandlerModule = {
    handle: ({ merchantId }, { signal }) =>
      merchantId === 'm1'
        ? new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('ended'))))
        : Promise.resolve(done),
  };
  await using s = await setup({ a: handle });
  for (const merchant of ['m1', 'm2', 'm3']) await s.seed(merchant, 'A');
  const ends = await s.work(s.tenures('m1', 'm2', 'm3'), { callMs: 300 });
  assert.equal(kinds(ends), { m1: 'alone, failed: true', m2: 'worked', m3: 'worked' });
});

test('events that are quick alone and together too many for the time of a convoy go on in smaller ones', async () => {
  const handle: HandlerModule = {
    async handle() {
      await systemClock.sleep(10);
      return done;
    },
  };
  await using s = await setup({ a: handle });
  const merchants = ['m1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7', 'm8'];
  for (const merchant of merchants) await s.seed(merchant, ...Array<string>(10).fill('A'));
  const pace = createConvoyPace({ most: 100, meantMs: 100 });
  const first = await s.work(s.tenures(...merchants), { convoyMs: 500, pace });
  assert.ok([...first.values()].every(({ kind }) => kind === 'put-back'));
  assert.is(pace.events, 16);
  const second = await s.work(s.tenures(...merchants), { pace });
  assert.ok([...second.values()].every(({ kind }) => kind === 'worked'));
});

test('a row that somebody outside holds costs the others a short lock time-out, not the time it is held', async () => {
  const write: HandlerModule = {
    async handleMany(events, { trx }) {
      for (const { merchantId } of events)
        await sql`insert into notes values (${merchantId}, 1) on conflict (merchant_id) do update set n = 2`.execute(
          trx,
        );
      return events.map(() => done);
    },
  };
  await using s = await setup({ a: write });
  for (const merchant of ['m1', 'm2', 'm3', 'm4']) await s.seed(merchant, 'A');
  await sql`insert into notes values ('m3', 0)`.execute(s.db);
  const outside = await s.db.startTransaction().execute();
  await sql`update notes set n = 7 where merchant_id = 'm3'`.execute(outside);
  const ends = await s.work(s.tenures('m1', 'm2', 'm3', 'm4'));
  assert.equal(kinds(ends), { m1: 'worked', m2: 'worked', m3: 'alone, failed: true', m4: 'worked' });
  await outside.rollback().execute();
});

test('a lane that somebody has locked is left out without waiting for it', async () => {
  await using s = await setup();
  for (const merchant of ['m1', 'm2']) await s.seed(merchant, 'A');
  await sql`insert into lanes (merchant_id) values ('m1'), ('m2')`.execute(s.db);
  const outside = await s.db.startTransaction().execute();
  await sql`select from lanes where merchant_id = 'm1' for update`.execute(outside);
  assert.equal(kinds(await s.work(s.tenures('m1', 'm2'))), { m1: 'alone, failed: false', m2: 'worked' });
  await outside.rollback().execute();
});

test('a lane that another owner took is refused, and the others of the convoy commit', async () => {
  await using s = await setup();
  for (const merchant of ['m1', 'm2']) await s.seed(merchant, 'A');
  const first = s.tenures('m1', 'm2');
  await s.work(first);
  await s.seed('m1', 'A');
  await s.seed('m2', 'A');
  // The successor works one of the lanes while the first owner is away.
  await s.work(s.tenures('m1'));
  const ends = await s.work(first);
  assert.equal(kinds(ends), { m1: 'refused', m2: 'worked' });
  const refusal = ends.get('m1');
  assert.ok(refusal?.kind === 'refused' && refusal.error instanceof LanewayError);
  assert.is(refusal.error.code, 'fence.lost');
  assert.equal(await s.applied(), { m1: [1, 2], m2: [1, 2] });
});

test('an owner whose takeover was rolled back passes for nobody else', async () => {
  await using s = await setup();
  await s.seed('m1', 'A', 'A');
  const [a, b] = [s.tenures('m1'), s.tenures('m1')];
  const failing = new Map([['handleA', { handleMany: failsFor('m1', s.record) }]]);
  await s.work(a, { handlers: failing });
  await s.work(b);
  await s.seed('m1', 'A');
  assert.equal(kinds(await s.work(b)), { m1: 'worked' });
  assert.equal(await s.applied(), { m1: [1, 2, 3] });
});

test('paused lanes wait, and lanes with something open are for a run of their own', async () => {
  await using s = await setup();
  for (const merchant of ['m1', 'm2', 'm3']) await s.seed(merchant, 'A');
  await sql`insert into lanes (merchant_id, state, open_deliveries) values ('m1', 'paused', 0), ('m2', 'active', 1)`.execute(
    s.db,
  );
  assert.equal(kinds(await s.work(s.tenures('m1', 'm2', 'm3'))), {
    m1: 'waiting',
    m2: 'alone, failed: false',
    m3: 'worked',
  });
  assert.equal(await s.applied(), { m3: [1] });
});

test('what handlers emit and intend belongs to the merchant of its cause', async () => {
  const emitting: HandlerModule = {
    handleMany: (events, context) => {
      for (const event of events) {
        context.emit(event, { eventType: 'B', payload: { n: 1 } });
        context.intend(event, { destination: 'ad-network:meta', objectKey: 'c', desired: { of: event.merchantId } });
      }
      return Promise.resolve(events.map(() => done));
    },
  };
  await using s = await setup({ a: emitting });
  for (const merchant of ['m1', 'm2']) await s.seed(merchant, 'A');
  const ends = await s.work(s.tenures('m1', 'm2'));
  assert.equal(kinds(ends), { m1: 'worked', m2: 'worked' });
  assert.equal(
    s.committed.map(({ merchantId, ledger }) => [merchantId, ledger.outbox.length, ledger.intents.length]),
    [
      ['m1', 1, 1],
      ['m2', 1, 1],
    ],
  );
  const outbox = await s.db.selectFrom('outbox').select(['merchant_id', 'seq']).orderBy('merchant_id').execute();
  assert.equal(outbox, [
    { merchant_id: 'm1', seq: 1 },
    { merchant_id: 'm2', seq: 1 },
  ]);
});

test('a server that goes away in the middle is told as such, and nothing of the convoy is committed', async () => {
  const killed: HandlerModule = {
    async handleMany(events, { trx }) {
      await sql`select pg_terminate_backend(pg_backend_pid())`.execute(trx);
      return events.map(() => done);
    },
  };
  await using s = await setup({ a: killed });
  for (const merchant of ['m1', 'm2']) await s.seed(merchant, 'A');
  const failure = await s.work(s.tenures('m1', 'm2')).then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(failure instanceof Error);
  assert.equal(await s.applied(), {});
  await waitFor(
    'the lanes to be free',
    async () =>
      kinds(await s.work(s.tenures('m1'), { handlers: new Map([['handleA', { handleMany: s.record }]]) }))['m1'] ===
      'worked',
  );
});

test.run();
