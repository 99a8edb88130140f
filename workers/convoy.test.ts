// test-stack
import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createConvoyPace } from './convoy-pace.ts';
import { testEvent } from './testing/test-event.ts';
import { type HandlerModule, done, snooze } from '../core/events/handler.ts';
import { createRegistry } from '../core/events/registry.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import { definitionOf, type Many, setup, kinds, failsFor } from './testing/convoy-system.ts';

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

test('a snooze is not for a shared transaction', async () => {
  const handle: HandlerModule = {
    handle: ({ merchantId }) => Promise.resolve(merchantId === 'm1' ? snooze(1_000, 'not yet') : done),
  };
  await using s = await setup({ a: handle });
  for (const merchant of ['m1', 'm2']) await s.seed(merchant, 'A');
  assert.equal(kinds(await s.work(s.tenures('m1', 'm2'))), { m1: 'alone, failed: false', m2: 'worked' });
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

test.run();
