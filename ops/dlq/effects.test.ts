import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { connectSQS } from '../../core/clients/sqs.ts';
import { registry } from '../../core/events/registry.ts';
import { systemClock as clock } from '../../core/runtime/clock.ts';
import { asRole } from '../../core/testing/as-role.ts';
import { createWorld } from '../../core/testing/world.ts';
import { type CarryOutDependencies, carryOut } from './carry-out.ts';
import { classify } from './classify.ts';
import { readDeadItems } from './read-dead.ts';
import { progressOf, readEnds } from './remove-ended.ts';
import { startRun } from './start-run.ts';

const none = {
  ...{ queue: undefined, handler: undefined, merchantId: undefined, code: undefined },
  ...{ since: undefined, until: undefined, eventId: undefined },
  limit: 100,
  after: undefined,
};

test('an effect that was given up is armed again, and ends when its destination has it', async () => {
  await using world = await createWorld();
  await using operator = asRole(world, 'laneway_operator');
  const { db } = world.postgres;
  const now = new Date();
  const key = { merchant_id: 'shop-1', destination: 'ad-network:meta' };
  await db
    .insertInto('effect_lanes')
    .values({ ...key, updated_at: now })
    .execute();
  const intent = {
    ...key,
    version: 1,
    desired: '{}',
    content_hash: 'h',
    event_id: 'e1',
    event_type: 'CampaignStateChangeRequestedEvent',
    handler: 'synchronizeCampaignStateWithAdNetworks',
    mseq: 1,
    day: '2026-11-23',
    correlation_id: 'c',
    traceparent: 't',
    deadline_ms: 1_000,
    attempt: 4,
    last_error: JSON.stringify({ code: 'effect.unavailable', message: 'away', at: now.toISOString() }),
    created_at: now,
    updated_at: now,
  };
  await db
    .insertInto('intents')
    .values([
      { ...intent, object_key: 'given-up', state: 'dead' },
      { ...intent, object_key: 'in-order', state: 'done' },
    ])
    .execute();
  const wanted = { ...none, queue: 'CampaignEventsDLQ', handler: 'synchronizeCampaignStateWithAdNetworks' };
  const page = await readDeadItems(operator.db, registry, { filter: wanted, after: undefined, limit: wanted.limit });
  const items = page.items.map(({ item }) => item);
  assert.equal(
    items.map((item) => [item.kind, item.handler, item.code, item.attempts]),
    [['effect', 'synchronizeCampaignStateWithAdNetworks@ad-network:meta', 'effect.unavailable', 4]],
  );
  for (const item of items) assert.is((await classify(operator.db, registry, item)).order, 'safe');
  const how = { perSecond: 100, requester: { by: 'ada', reason: 'it is back' } };
  const runId = await startRun(operator.db, { items, filter: wanted, ...how }, now.getTime());
  const sqs = connectSQS();
  const deps: CarryOutDependencies = {
    db: operator.db,
    clock,
    sqs,
    queueUrl: () => '',
    sourceOf: () => '',
    wake: () => Promise.resolve(),
  };
  await carryOut(deps, runId, how);
  const armed = await db
    .selectFrom('intents')
    .select(['state', 'attempt'])
    .where('object_key', '=', 'given-up')
    .execute();
  assert.equal(armed, [{ state: 'pending', attempt: 0 }]);
  assert.ok((await db.selectFrom('effect_lanes').select('due_at').executeTakeFirstOrThrow()).due_at);
  assert.is(progressOf(await readEnds(deps, runId)).open, 1);
  await db.updateTable('intents').set({ state: 'done' }).where('object_key', '=', 'given-up').execute();
  assert.is(progressOf(await readEnds(deps, runId)).done, 1);
  sqs.destroy();
});

test.run();
