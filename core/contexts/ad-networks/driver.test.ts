import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createAdAccounts, derivedAccountId } from './accounts.ts';
import { campaignTag } from './campaign-name.ts';
import { connectAdNetworks, sameCredentials } from './connect.ts';
import { createAdNetworkDriver } from './driver.ts';
import { performanceMetrics } from './events.ts';
import { readNetworkStates } from './reads.ts';
import { synchronizeCampaignStateWithAdNetworks } from './synchronize-campaign-state-with-ad-networks.ts';
import type { EffectCall } from '../../events/destination.ts';
import type { Emission } from '../../events/handler.ts';
import { systemClock } from '../../runtime/clock.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { lanewayEvent, runHandler } from '../../testing/run-handler.ts';
import { type World, createWorld } from '../../testing/world.ts';

const NOON = Date.parse('2026-11-23T12:00:00.000Z');
const clock = { now: () => NOON, sleep: async () => undefined };
const signal = () => new AbortController().signal;

const driverOf = ({ networksUrl, postgres: { db } }: World, token = 'test') =>
  createAdNetworkDriver({
    networks: connectAdNetworks({ baseUrl: networksUrl, credentials: sameCredentials(token), clock }),
    accounts: createAdAccounts({ clock, accountIdOf: (merchantId) => Promise.resolve(derivedAccountId(merchantId)) }),
    clock,
    db,
  });

/** The fake networks are shared by all test files: a merchant of this world has accounts of its own there. */
const callOf = ({ stack }: World, more: Partial<EffectCall> = {}): EffectCall => ({
  merchantId: `${stack}/a:b {ü}`,
  destination: 'ad-network:meta',
  objectKey: 'cmp-1',
  version: 1,
  desired: { state: 'active', name: 'Winter sale', dailyBudgetMinor: 5_000, currency: 'EUR' },
  externalId: undefined,
  idempotencyKey: 'key-1',
  eventId: 'event-0001',
  correlationId: 'cor-1',
  traceparent: 'tp',
  ...more,
});

const codeOf = async (call: Promise<unknown>): Promise<string> => {
  try {
    await call;
    return 'no failure';
  } catch (error) {
    return error instanceof LanewayError ? error.code : String(error);
  }
};

test('a campaign is created once and changed from then on', async () => {
  await using world = await createWorld();
  const driver = driverOf(world);
  const call = callOf(world);
  const name = `Winter sale (${campaignTag(call.merchantId, 'cmp-1')})`;
  assert.is(await driver.probe(call, signal()), undefined);
  const created = await driver.send(call, signal());
  assert.ok(driver.satisfies(call, created));

  const desired = { ...call.desired, state: 'paused', dailyBudgetMinor: 7_000 };
  const second = callOf(world, { desired, externalId: created.externalId, version: 2 });
  assert.not(driver.satisfies(second, created));
  const changed = await driver.send(second, signal());
  assert.is(changed.externalId, created.externalId);
  assert.equal(await driver.probe(second, signal()), {
    externalId: created.externalId,
    actual: { state: 'paused', name, dailyBudgetMinor: 7_000, currency: 'EUR' },
  });
});

test('a campaign whose creation got no answer is found by its tag', async () => {
  await using world = await createWorld();
  const driver = driverOf(world);
  const call = callOf(world);
  const account = derivedAccountId(call.merchantId);
  const faults = [{ network: 'meta', account, kind: 'commit_then_drop', times: 1 }];
  await fetch(`${world.networksUrl}/_control/faults`, { method: 'POST', body: JSON.stringify(faults) });
  assert.is(await codeOf(driver.send(call, signal())), 'effect.outcome_unknown');
  const found = await driver.probe(call, signal());
  assert.ok(found !== undefined && driver.satisfies(call, found));
  assert.is(await driver.probe(callOf(world, { objectKey: 'cmp-2' }), signal()), undefined);
});

test('of twins the one that is already ours goes on, else the older one', async () => {
  await using world = await createWorld();
  const driver = driverOf(world);
  const first = await driver.send(callOf(world), signal());
  const second = await driver.send(callOf(world), signal());
  assert.is.not(first.externalId, second.externalId);
  const probed = async (more: Partial<EffectCall>) => (await driver.probe(callOf(world, more), signal()))?.externalId;
  assert.is(await probed({ externalId: second.externalId }), second.externalId);
  assert.is(await probed({}), first.externalId);
});

test('a campaign that has ended is made and ended where the network never had it, and is never changed again', async () => {
  await using world = await createWorld();
  const driver = driverOf(world);
  const ended = callOf(world, { desired: { ...callOf(world).desired, state: 'ended' } });
  const made = await driver.send(ended, signal());
  const held = await driver.probe(ended, signal());
  assert.equal([held?.externalId, held?.actual['state']], [made.externalId, 'ended']);
  assert.ok(
    held !== undefined && driver.satisfies(callOf(world, { desired: { ...ended.desired, name: 'New' } }), held),
  );
});

test('what the network can never do is rejected, and credentials are another matter', async () => {
  await using world = await createWorld();
  const driver = driverOf(world);
  assert.is(await codeOf(driver.send(callOf(world, { externalId: '1' }), signal())), 'effect.rejected');
  assert.is(await codeOf(driver.send(callOf(world, { desired: {} }), signal())), 'effect.rejected');
  const inDollars = callOf(world, { desired: { ...callOf(world).desired, currency: 'USD' } });
  assert.is(await codeOf(driver.send(inDollars, signal())), 'effect.rejected');
  assert.is(await codeOf(driverOf(world, '').send(callOf(world), signal())), 'effect.unauthorized');
});

test("a day's figures are observed after success, and not being able to is no failure", async () => {
  await using world = await createWorld();
  const { networksUrl } = world;
  // The figures of the fakes are of today, so the clock must be too.
  const driver = createAdNetworkDriver({
    networks: connectAdNetworks({ baseUrl: networksUrl, credentials: sameCredentials('t'), clock: systemClock }),
    accounts: createAdAccounts({ clock, accountIdOf: (merchantId) => Promise.resolve(derivedAccountId(merchantId)) }),
    clock: systemClock,
    db: world.postgres.db,
  });
  const call = callOf(world);
  const result = await driver.send(call, signal());
  const observed = await driver.observe?.(call, result, signal());
  assert.match(String(observed?.['reportDate']), /^\d{4}-\d\d-\d\d$/);
  assert.is(performanceMetrics.parse(observed?.['metrics']).currency, 'EUR');
  assert.is(await driver.observe?.(call, { ...result, externalId: 'none' }, signal()), undefined);
});

/** A campaign that was commanded by event-0001, `active`, and then by event-0002, `paused`. */
async function commandTwice({ postgres: { db } }: World): Promise<void> {
  const command = (n: number, requestedState: string) =>
    lanewayEvent(n, {
      campaignId: 'cmp-1',
      merchantId: 'shop-1',
      requestedState,
      adNetworkIds: ['meta'],
      timestamp: `2026-11-23T10:00:0${n}.000Z`,
      campaignParametersForSync: { name: 'Winter sale', dailyBudgetMinor: 5_000, currency: 'EUR' },
    });
  await runHandler(db, synchronizeCampaignStateWithAdNetworks, [command(1, 'active'), command(2, 'paused')]);
}

const stateOf = async ({ postgres: { db } }: World) => {
  const [state] = await db.transaction().execute((trx) => readNetworkStates(trx, 'shop-1', ['cmp-1']));
  return [state?.status, state?.actualState, state?.externalId, state?.errorCode];
};

test('a call that was overtaken by a newer command tells what the network holds and makes nothing live', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const driver = driverOf(world);
  await commandTwice(world);
  const emissions: Emission[] = [];
  const context = { now: NOON, emit: (emission: Emission) => void emissions.push(emission), intend: () => undefined };
  const call = callOf(world, { merchantId: 'shop-1' });
  const record = (eventId: string, state: string, observed?: Record<string, unknown>) =>
    db
      .transaction()
      .execute((trx) =>
        driver.recordSuccess(trx, { ...call, eventId }, { externalId: 'x-1', actual: { state } }, observed, context),
      );
  await record('event-0001', 'active');
  assert.equal(await stateOf(world), ['pending', 'active', 'x-1', null]);
  assert.equal(emissions, []);

  const metrics = { impressions: 1, clicks: 1, conversions: 0, spendMicros: 5, currency: 'EUR' };
  await record('event-0002', 'paused', { reportDate: '2026-11-23', metrics });
  assert.equal(await stateOf(world), ['live', 'paused', 'x-1', null]);
  assert.equal(emissions, [
    {
      eventType: 'ThirdPartyAppWebhookEvent',
      payload: {
        webhookType: 'campaign.paused',
        timestamp: '2026-11-23T12:00:00.000Z',
        data: { campaignId: 'cmp-1', adNetworkId: 'meta' },
      },
    },
    {
      eventType: 'AdPerformanceDataIngestedEvent',
      payload: {
        adNetworkId: 'meta',
        reportDate: '2026-11-23',
        campaignId: 'cmp-1',
        metricsPayload: metrics,
        timestamp: '2026-11-23T12:00:00.000Z',
      },
    },
  ]);
});

test('a given-up effect fails its own command only and is told of, and a newer command clears the error', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const driver = driverOf(world);
  await commandTwice(world);
  const emissions: Emission[] = [];
  const context = { now: NOON, emit: (emission: Emission) => void emissions.push(emission), intend: () => undefined };
  const error = new LanewayError('effect.rejected', 'the budget is too small');
  const call = callOf(world, { merchantId: 'shop-1' });
  const giveUp = (eventId: string) =>
    db.transaction().execute((trx) => driver.recordFailure(trx, { ...call, eventId }, error, context));
  await giveUp('event-0001');
  assert.equal(await stateOf(world), ['pending', null, null, null]);
  assert.equal(emissions, []);
  await giveUp('event-0002');
  assert.equal(await stateOf(world), ['failed', null, null, 'effect.rejected']);
  assert.equal(emissions, [
    {
      eventType: 'ThirdPartyAppWebhookEvent',
      payload: {
        webhookType: 'campaign.failed',
        timestamp: '2026-11-23T12:00:00.000Z',
        data: { campaignId: 'cmp-1', adNetworkId: 'meta', code: 'effect.rejected' },
      },
    },
    {
      eventType: 'NotificationDispatchRequestedEvent',
      payload: {
        recipientId: 'owner',
        channel: 'in_app',
        templateId: 'campaign-failed',
        payloadForTemplate: { campaignName: 'Winter sale', network: 'meta', reason: 'the budget is too small' },
        timestamp: '2026-11-23T12:00:00.000Z',
        idempotencyKey: 'campaign-failed:cmp-1:meta:1',
      },
    },
  ]);
  await runHandler(db, synchronizeCampaignStateWithAdNetworks, [
    lanewayEvent(3, {
      campaignId: 'cmp-1',
      merchantId: 'shop-1',
      requestedState: 'active',
      adNetworkIds: ['meta'],
      timestamp: '2026-11-23T10:00:03.000Z',
    }),
  ]);
  assert.equal(await stateOf(world), ['pending', null, null, null]);
});

test.run();
