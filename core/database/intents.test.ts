import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type IntentRow, declareIntents } from './intents.ts';
import { type World, createWorld } from '../testing/world.ts';

const intent = (changes: Partial<IntentRow> = {}): IntentRow => ({
  merchantId: 'm',
  destination: 'ad-network:meta',
  objectKey: 'c1',
  desired: { state: 'active' },
  eventId: 'e1',
  eventType: 'CampaignStateChangeRequestedEvent',
  handler: 'h',
  mseq: 1,
  day: '2026-11-23',
  correlationId: 'cor',
  traceparent: 'tp',
  deadlineMs: 1_000,
  ...changes,
});

const declare = ({ postgres }: World, rows: readonly IntentRow[], nowMs = 1_000_000) =>
  postgres.db.transaction().execute((trx) => declareIntents(trx, rows, nowMs));
const read = ({ postgres }: World) => postgres.db.selectFrom('intents').selectAll().orderBy('object_key').execute();

test('an intent is pending and makes its effect lane due', async () => {
  await using world = await createWorld();
  await declare(world, [intent()]);
  const [row] = await read(world);
  assert.is(row?.state, 'pending');
  assert.is(row?.version, 1);
  assert.equal(row?.desired, { state: 'active' });
  const lanes = await world.postgres.db.selectFrom('effect_lanes').selectAll().execute();
  assert.equal(
    lanes.map((lane) => [lane.merchant_id, lane.destination, lane.due_at?.getTime(), lane.owner]),
    [['m', 'ad-network:meta', 1_000_000, null]],
  );
});

test('of several intents for one object in one commit the last wins, and each counts as a version', async () => {
  await using world = await createWorld();
  await declare(world, [
    intent({ desired: { n: 1 } }),
    intent({ objectKey: 'c2', desired: { n: 5 } }),
    intent({ desired: { n: 2 }, eventId: 'e2' }),
  ]);
  assert.equal(
    (await read(world)).map((r) => [r.object_key, r.version, r.desired, r.event_id]),
    [
      ['c1', 2, { n: 2 }, 'e2'],
      ['c2', 1, { n: 5 }, 'e1'],
    ],
  );
});

test('a newer intent opens what was done or dead again, with all its tries', async () => {
  await using world = await createWorld();
  for (const state of ['done', 'dead'] as const) {
    await declare(world, [intent()]);
    await world.postgres.db.updateTable('intents').set({ state, attempt: 4, not_before: new Date() }).execute();
    await declare(world, [intent({ desired: { after: state } })]);
    const [row] = await read(world);
    assert.equal([row?.state, row?.attempt, row?.not_before, row?.desired], ['pending', 0, null, { after: state }]);
  }
});

test('a newer intent waits behind a call whose outcome is not known', async () => {
  await using world = await createWorld();
  const quarantine = new Date(2_000_000);
  for (const state of ['sending', 'unknown'] as const) {
    await declare(world, [intent()]);
    const mark = { sent_version: 1, sent_hash: 'hash', sent_at: new Date(900_000) };
    await world.postgres.db
      .updateTable('intents')
      .set({ state, version: 1, not_before: quarantine, ...mark })
      .execute();
    await declare(world, [intent({ desired: { newer: true } })]);
    const [row] = await read(world);
    assert.equal(
      [row?.state, row?.version, row?.sent_version, row?.not_before, row?.desired],
      [state, 2, 1, quarantine, { newer: true }],
    );
  }
});

test('transactions that declare for the same merchants in different orders do not deadlock', async () => {
  await using world = await createWorld();
  const merchants = ['a', 'Z', 'é', 'b', '~'];
  const rows = merchants.map((merchantId) => intent({ merchantId }));
  await Promise.all(
    Array.from({ length: 20 }, (_, n) => declare(world, n % 2 === 0 ? rows : rows.toReversed(), 1_000_000 + n)),
  );
  assert.equal(
    (await read(world)).map((r) => r.version),
    [20, 20, 20, 20, 20],
  );
});

test.run();
