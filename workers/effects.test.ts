import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type EffectWorld, destination, intentOf, movableClock, setUpEffects } from './testing/world-of-effects.ts';
import type { DestinationDriver } from '../core/events/destination.ts';
import { waitFor } from '../core/testing/wait-for.ts';

/** Without what owners and their apps are told, which is tested beside whoever tells it. */
const outbox = ({ world }: EffectWorld) =>
  world.postgres.db
    .selectFrom('outbox')
    .selectAll()
    .where('event_type', 'not in', ['NotificationDispatchRequestedEvent', 'ThirdPartyAppWebhookEvent'])
    .orderBy('seq')
    .execute();

test('what is desired becomes so, is recorded, and is told once', async () => {
  await using s = await setUpEffects();
  const actors = s.actors();
  await s.desire('active');
  const created = await s.reaches('done', actors);
  await s.desire('paused');
  const changed = await s.reaches('done', actors);
  assert.is(changed.external_id, created.external_id);
  assert.equal(
    (await s.calls()).map(({ op, body }) => [op, body.status]),
    [
      ['create', 'ACTIVE'],
      ['update', 'PAUSED'],
    ],
  );
  const state = await s.world.postgres.db.selectFrom('campaign_network_states').selectAll().executeTakeFirstOrThrow();
  assert.equal([state.status, state.actual_state, state.external_id], ['live', 'paused', created.external_id]);
  const told = await outbox(s);
  assert.equal(
    told.map((r) => [r.event_type, r.destination]),
    [
      ['AdPerformanceDataIngestedEvent', 'topic:PerformanceDataTopic'],
      ['AdPerformanceDataIngestedEvent', 'topic:PerformanceDataTopic'],
    ],
  );
  assert.is.not(told[0]?.event_id, told[1]?.event_id);
  await waitFor('the lane to rest', async () => {
    const lane = await s.world.postgres.db.selectFrom('effect_lanes').selectAll().executeTakeFirstOrThrow();
    return lane.due_at === null && lane.owner === null;
  });
});

test('newer desired replaces what was not sent yet', async () => {
  await using s = await setUpEffects();
  await s.desire('active');
  await s.desire('paused');
  await s.desire('active', { name: 'Last' });
  await s.reaches('done', s.actors());
  assert.equal(
    (await s.calls()).map(({ op, body }) => [op, body.status, body.name]),
    [['create', 'ACTIVE', 'Last']],
  );
});

test('a call that took effect without an answer is looked up and adopted, not repeated', async () => {
  await using s = await setUpEffects();
  await s.fault('commit_then_drop', 1);
  const actors = s.actors();
  await s.desire('active');
  const unknown = await s.reaches('unknown', actors);
  assert.is(unknown.sent_version, 1);
  // Nobody touches it before the call is over for certain: lease and deadline after it began.
  assert.is((unknown.not_before?.getTime() ?? 0) - (unknown.sent_at?.getTime() ?? 0), 2_200);
  const done = await s.reaches('done', actors);
  assert.is(done.sent_version, null);
  assert.equal(
    (await s.calls()).map(({ op }) => op),
    ['create'],
  );
  assert.equal(
    (await s.campaigns()).map(({ id }) => id),
    [done.external_id],
  );
});

test('a newer version is not sent while an older one’s outcome is unknown, and becomes an update of what is found', async () => {
  await using s = await setUpEffects();
  await s.fault('commit_then_drop', 1);
  const actors = s.actors();
  await s.desire('active');
  await s.reaches('unknown', actors);
  await s.desire('paused');
  const waiting = await s.reaches('unknown', actors);
  assert.equal([waiting.version, waiting.sent_version], [2, 1]);
  assert.equal(
    (await s.calls()).map(({ op }) => op),
    ['create'],
  );
  await s.reaches('done', actors);
  assert.equal(
    (await s.calls()).map(({ op, body }) => [op, body.status]),
    [
      ['create', 'ACTIVE'],
      ['update', 'PAUSED'],
    ],
  );
});

test('a call that got no answer and did not take effect is made again', async () => {
  await using s = await setUpEffects();
  await s.fault('error500', 1);
  const actors = s.actors();
  await s.desire('active');
  await s.reaches('unknown', actors);
  const done = await s.reaches('done', actors);
  assert.is(done.attempt, 2);
  assert.is((await s.campaigns()).length, 1);
});

test('one object’s quarantine does not hold its neighbours', async () => {
  await using s = await setUpEffects();
  await s.fault('hang', 1);
  const actors = s.actors();
  await s.desire('active', { objectKey: 'c1' });
  await s.reaches('unknown', actors);
  await s.desire('active', { objectKey: 'c2' });
  await waitFor('the neighbour', async () => {
    await actors.wake([{ merchantId: s.merchantId, destination }]);
    const rows = await s.world.postgres.db.selectFrom('intents').select('state').orderBy('object_key').execute();
    assert.is(rows[0]?.state, 'unknown');
    return rows[1]?.state === 'done';
  });
  await s.reaches('done', actors);
  assert.is((await s.campaigns()).length, 2);
});

test('a refusal ends at once, with one dead letter that carries the event as received', async () => {
  await using s = await setUpEffects();
  await s.fault('error400', 1);
  const actors = s.actors();
  const eventId = await s.desire('active');
  const dead = await s.reaches('dead', actors);
  assert.is(dead.attempt, 1);
  const letters = await outbox(s);
  assert.is(letters.length, 1);
  const [letter] = letters;
  assert.equal(
    [letter?.stream, letter?.destination, letter?.event_id],
    ['dead-letters', 'queue:CampaignEventsDLQ', eventId],
  );
  assert.is(JSON.parse(letter?.body.toString() ?? '').eventId, eventId);
  assert.equal(
    ['handler', 'errorCode', 'attempts', 'sourceQueue'].map((name) => letter?.attributes[name]),
    ['sync@ad-network:meta', 'effect.rejected', '1', 'TestQueue'],
  );
  const state = await s.world.postgres.db.selectFrom('campaign_network_states').selectAll().executeTakeFirstOrThrow();
  assert.equal([state.status, state.error_code], ['failed', 'effect.rejected']);
});

test('calls that never take effect use up three retries, then there is one dead letter; a later intent starts afresh', async () => {
  await using s = await setUpEffects();
  const { time, clock } = movableClock();
  await s.fault('error500', 4);
  const actors = s.actors({ leaseMs: 30_000, clock });
  await s.desire('active');
  const dead = await waitFor('the end', async () => {
    await actors.wake([{ merchantId: s.merchantId, destination }]);
    const intent = await intentOf(s.world);
    // Past the quarantine of the call that got no answer.
    if (intent?.state === 'unknown') time.aheadMs += 60_000;
    return intent?.state === 'dead' ? intent : undefined;
  });
  assert.is(dead.attempt, 4);
  assert.equal(
    (await outbox(s)).map((r) => r.stream),
    ['dead-letters'],
  );
  assert.equal(await s.calls(), []);
  await s.desire('active');
  const done = await s.reaches('done', actors);
  assert.equal([done.attempt, done.last_error], [1, null]);
});

test('a look-up that keeps failing ends in a dead letter, and what is unknown stays so for the next intent', async () => {
  await using s = await setUpEffects();
  await s.fault('commit_then_drop', 1);
  const actors = s.actors();
  await s.desire('active');
  await s.reaches('unknown', actors);
  await s.fault('error400', 3, 'reads');
  const dead = await s.reaches('dead', actors);
  assert.is(dead.sent_version, 1);
  await s.desire('paused');
  await s.reaches('done', actors);
  assert.equal(
    (await s.calls()).map(({ op }) => op),
    ['create', 'update'],
  );
});

test('actors that race for one effect make one call', async () => {
  await using s = await setUpEffects();
  await s.desire('active');
  // Different prefixes: neither sees the other's activations, so that only fence and claim are between them.
  const racing = ['a', 'b', 'c'].map((name) => s.actors({ prefix: `${s.world.stack}-${name}` }));
  await Promise.all(racing.map((actors) => actors.wake([{ merchantId: s.merchantId, destination }])));
  const [first] = racing;
  assert.ok(first);
  await s.reaches('done', first);
  await waitFor('all at rest', () => racing.every((actors) => actors.active === 0));
  assert.equal(
    (await s.calls()).map(({ op }) => op),
    ['create'],
  );
  assert.is((await outbox(s)).length, 1);
});

test('an effect whose activation was lost with Redis is done once its lane is due', async () => {
  await using s = await setUpEffects();
  const actors = s.actors();
  await s.fault('hang', 1);
  await s.desire('active');
  await actors.wake([{ merchantId: s.merchantId, destination }]);
  await waitFor('the call', async () => (await intentOf(s.world))?.state === 'sending');
  const keys = await s.redis.keys(`${s.world.stack}:*`);
  // This test's share of a FLUSHALL: other tests use the same Redis.
  await s.redis.unlink(...keys);
  const done = await s.reaches('done', actors);
  assert.is(done.attempt, 2);
  assert.is((await s.campaigns()).length, 1);
});

test('a call that was marked by a process that died is looked up when it must be over', async () => {
  await using s = await setUpEffects();
  await s.desire('active');
  const now = Date.now();
  const mark = { sent_version: 1, sent_hash: 'x', sent_at: new Date(now), not_before: new Date(now + 800), attempt: 1 };
  await s.world.postgres.db
    .updateTable('intents')
    .set({ state: 'sending', ...mark })
    .execute();
  const done = await s.reaches('done', s.actors());
  assert.is(done.attempt, 2);
  assert.ok(done.updated_at.getTime() >= now + 800);
  assert.is((await s.campaigns()).length, 1);
});

test('what is desired during a call is sent after it', async () => {
  await using s = await setUpEffects();
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  const slow: DestinationDriver = {
    ...s.driver,
    async send(call, signal) {
      await answered;
      return await s.driver.send(call, signal);
    },
  };
  const actors = s.actors({ drivers: () => slow, leaseMs: 60_000 });
  await s.desire('active');
  await s.reaches('sending', actors);
  await s.desire('paused');
  answer();
  const done = await s.reaches('done', actors);
  assert.equal([done.version, done.sent_version], [2, null]);
  assert.equal(
    (await s.calls()).map(({ op, body }) => [op, body.status]),
    [
      ['create', 'ACTIVE'],
      ['update', 'PAUSED'],
    ],
  );
});

test('stopping waits for the call in flight and leaves the rest for others', async () => {
  await using s = await setUpEffects();
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  const slow: DestinationDriver = {
    ...s.driver,
    async send(call, signal) {
      await answered;
      return await s.driver.send(call, signal);
    },
  };
  const first = s.actors({ drivers: () => slow, leaseMs: 60_000 });
  await s.desire('active', { objectKey: 'c1' });
  await s.desire('active', { objectKey: 'c2' });
  await first.wake([{ merchantId: s.merchantId, destination }]);
  const states = async () =>
    (await s.world.postgres.db.selectFrom('intents').select('state').execute()).map((r) => r.state).toSorted();
  await waitFor('a call', async () => (await states()).includes('sending'));
  const stopped = first.stop();
  answer();
  await stopped;
  assert.equal(await states(), ['done', 'pending']);
  // Put back by the stop: no wake-up and no sweeper is needed.
  s.actors();
  await waitFor('the rest', async () => !(await states()).includes('pending'));
  assert.is((await s.campaigns()).length, 2);
});

test('a database that forgot a call learns its result from the claim', async () => {
  await using s = await setUpEffects();
  await s.desire('active');
  const actors = s.actors();
  const done = await s.reaches('done', actors);
  await s.world.postgres.db.updateTable('intents').set({ state: 'pending', external_id: null }).execute();
  await s.world.postgres.db.updateTable('effect_lanes').set({ due_at: new Date() }).execute();
  const again = await s.reaches('done', actors);
  assert.is(again.external_id, done.external_id);
  assert.equal(
    (await s.calls()).map(({ op }) => op),
    ['create'],
  );
});

test('a version number that a restore brought back is sent when it stands for something else', async () => {
  await using s = await setUpEffects();
  await s.desire('active');
  const actors = s.actors();
  const first = await s.reaches('done', actors);
  await s.desire('paused');
  await s.reaches('done', actors);
  // Restored to before the second was desired; then something else is, under the number that was used already.
  await s.world.postgres.db.updateTable('intents').set({ version: first.version }).execute();
  await s.desire('active', { name: 'Other' });
  const again = await s.reaches('done', actors);
  assert.is(again.version, 2);
  assert.equal(
    (await s.calls()).map(({ op, body }) => [op, body.status, body.name]),
    [
      ['create', 'ACTIVE', 'Sale'],
      ['update', 'PAUSED', 'Sale'],
      ['update', 'ACTIVE', 'Other'],
    ],
  );
});

test('an outcome that cannot be recorded ends too, without holding its neighbours', async () => {
  await using s = await setUpEffects();
  const broken: DestinationDriver = {
    ...s.driver,
    async recordSuccess(trx, call, ...rest) {
      if (call.objectKey === 'c1') throw new Error('no place for it');
      await s.driver.recordSuccess(trx, call, ...rest);
    },
  };
  const actors = s.actors({ drivers: () => broken });
  await s.desire('active', { objectKey: 'c1' });
  await s.desire('active', { objectKey: 'c2' });
  const dead = await s.reaches('dead', actors);
  assert.is(dead.object_key, 'c1');
  const told = await waitFor('both to be told of', async () => {
    const rows = await outbox(s);
    return rows.length === 2 ? rows : undefined;
  });
  assert.equal(told.map((r) => r.stream).toSorted(), ['dead-letters', 'events']);
  assert.equal(
    (await s.calls()).map(({ op }) => op),
    ['create', 'create'],
  );
});

test('while DynamoDB is away nothing is sent and no attempt is used', async () => {
  await using s = await setUpEffects();
  await s.desire('active');
  const cut = s.actors({ claimsTable: 'no-such-table' });
  await cut.wake([{ merchantId: s.merchantId, destination }]);
  await waitFor('a delayed activation', async () => (await cut.queues[0]?.getDelayedCount()) === 1);
  const waiting = await intentOf(s.world);
  assert.equal([waiting?.state, waiting?.attempt], ['pending', 0]);
  assert.equal(await s.calls(), []);
  await cut.stop();
  await s.redis.unlink(...(await s.redis.keys(`${s.world.stack}:*`)));
  await s.reaches('done', s.actors());
});

test.run();
