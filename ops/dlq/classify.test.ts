import type { Kysely } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Database } from '../../core/database/tables.ts';
import type { HandlerDefinition } from '../../core/events/definition.ts';
import { done } from '../../core/events/handler.ts';
import type { Registry } from '../../core/events/registry.ts';
import { LanewayError } from '../../core/runtime/errors.ts';
import { createWorld } from '../../core/testing/world.ts';
import { each, oneEventSystem } from '../../workers/testing/one-event-system.ts';
import { type CarryOutDependencies, carryOut } from './carry-out.ts';
import { classify } from './classify.ts';
import type { ItemFilter } from './items.ts';
import { readDeadItems } from './read-dead.ts';
import { startRun } from './start-run.ts';

const all: ItemFilter = {
  queue: undefined,
  handler: undefined,
  merchantId: undefined,
  code: undefined,
  since: undefined,
  until: undefined,
  eventId: undefined,
  limit: 100,
  after: undefined,
};

const read = async (db: Kysely<Database>, registry: Registry, filter: ItemFilter) => {
  const { items } = await readDeadItems(db, registry, { filter, after: undefined, limit: filter.limit });
  return items.map(({ item }) => item);
};

test('the order class follows from what the handler holds, what it writes, and what of the same is applied since', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const handler = each((n) => {
    if (n < 3) throw new LanewayError('payload.invalid', 'never');
    return done;
  });
  const cases: [string, Partial<HandlerDefinition>, string, string][] = [
    // Event 1 is of aggregate a, which event 3 changed since; event 2 is of b, which nothing did.
    ['state-merchant', { holds: 'merchant', effect: 'state' }, 'superseded', 'safe'],
    ['state-aggregate', { holds: 'aggregate', effect: 'state' }, 'superseded', 'safe'],
    ['delta-aggregate', { holds: 'aggregate', effect: 'delta' }, 'conflicting', 'safe'],
    ['delta-merchant', { holds: 'merchant', effect: 'delta' }, 'conflicting', 'conflicting'],
    ['delta-event', { holds: 'event', effect: 'delta' }, 'safe', 'safe'],
  ];
  for (const [merchantId, declared, ofA, ofB] of cases) {
    const { registry, seed, visit } = oneEventSystem(world, handler, declared);
    await seed(merchantId, [
      { n: 1, key: 'a' },
      { n: 2, key: 'b' },
      { n: 3, key: 'a' },
    ]);
    await visit(merchantId);
    const items = await read(db, registry, { ...all, merchantId });
    const orders = await Promise.all(items.map(async (item) => (await classify(db, registry, item)).order));
    assert.equal(orders, [ofA, ofB], merchantId);
  }
  const { registry } = oneEventSystem(world, handler);
  await db.deleteFrom('inbox').where('merchant_id', '=', 'state-merchant').where('mseq', '=', 1).execute();
  const [purged] = await read(db, registry, { ...all, merchantId: 'state-merchant' });
  assert.ok(purged);
  assert.is((await classify(db, registry, purged)).order, 'gone');
});

test('a run keeps its pace, and redriving what blocks a lane lets it go on in order', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  let broken = true;
  const handler = each((n) => {
    if (n === 1 && broken) throw new LanewayError('payload.invalid', 'never');
    return done;
  });
  const { registry, seed, visit, lane, applied, clock } = oneEventSystem(world, handler, { onPoison: 'keep' });
  const merchants = ['m1', 'm2', 'm3'];
  for (const merchantId of merchants) {
    await seed(merchantId, [{ n: 1 }, { n: 2 }]);
    await visit(merchantId);
    assert.is((await lane(merchantId)).state, 'blocked');
  }
  const items = await read(db, registry, all);
  assert.equal(
    items.map((item) => [item.kind, 'state' in item && item.state, item.code]),
    Array.from({ length: 3 }, () => ['handler', 'parked', 'payload.invalid']),
  );
  for (const item of items) assert.is((await classify(db, registry, item)).order, 'safe');
  const requester = { by: 'ada', reason: 'mended' };
  const runId = await startRun(db, { items, filter: all, perSecond: 2, requester }, clock.time);
  broken = false;
  const started = clock.time;
  const times: number[] = [];
  const deps: CarryOutDependencies = {
    db,
    clock: { now: () => clock.time, sleep: (ms) => Promise.resolve(void (clock.time += ms)) },
    // No item of this run lies in a queue alone.
    sqs: undefined as unknown as CarryOutDependencies['sqs'],
    queueUrl: () => '',
    sourceOf: () => '',
    wake: async (merchantId) => {
      times.push(clock.time - started);
      await visit(merchantId);
    },
  };
  await carryOut(deps, runId, { perSecond: 2, requester });
  assert.equal(times, [0, 500, 1_000]);
  for (const merchantId of merchants) {
    assert.is((await lane(merchantId)).state, 'active');
    assert.equal(await applied(merchantId), [1, 2]);
  }
});

test.run();
