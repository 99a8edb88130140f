// test-stack
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startGateway } from '../testing/start-gateway.ts';
import { createAdAccounts, derivedAccountId } from '../../core/contexts/ad-networks/accounts.ts';
import { connectAdNetworks, sameCredentials } from '../../core/contexts/ad-networks/connect.ts';
import { createAdNetworkDriver } from '../../core/contexts/ad-networks/driver.ts';
import { synchronizeCampaignStateWithAdNetworks } from '../../core/contexts/ad-networks/synchronize-campaign-state-with-ad-networks.ts';
import type { EffectCall, EffectContext } from '../../core/events/destination.ts';
import { LanewayError } from '../../core/runtime/errors.ts';
import { systemClock as clock } from '../../core/runtime/clock.ts';
import { lanewayEvent, runHandler } from '../../core/testing/run-handler.ts';

/** A gateway, and a network that is told what intents ask for, one call after the other, as an effect actor would. */
async function setUp() {
  const gateway = await startGateway();
  const { db } = gateway.world.postgres;
  const merchant = `shop-${gateway.world.stack}`;
  const as = await gateway.addMerchant(merchant);
  const baseUrl = gateway.world.networksUrl;
  const driver = createAdNetworkDriver({
    networks: connectAdNetworks({ baseUrl, credentials: sameCredentials('test'), clock }),
    accounts: createAdAccounts({ clock, accountIdOf: (merchantId) => Promise.resolve(derivedAccountId(merchantId)) }),
    clock,
    db,
  });
  const call = async (expected: number, method: string, path: string, body?: unknown) => {
    const answer = await gateway.call(path, { as, method, ...(body === undefined ? {} : { body }) });
    assert.is(answer.status, expected, `${method} ${path}: ${answer.text}`);
    return JSON.parse(answer.text);
  };
  const externalIds = new Map<string, string>();
  let commands = 0;
  const callOf = (objectKey: string, desired: Record<string, unknown>): EffectCall => ({
    ...{ merchantId: merchant, destination: 'ad-network:meta', objectKey, version: 1, desired, eventId: eventId() },
    ...{ externalId: externalIds.get(objectKey), idempotencyKey: 'a1', correlationId: 'cor-1', traceparent: 'tp' },
  });
  const eventId = () => `event-${String(commands).padStart(4, '0')}`;
  /** The command of a campaign as it is now, and everything that follows from it; what was told to the network, in order. */
  const follow = async (campaignId: string, requestedState = 'active'): Promise<string[]> => {
    commands += 1;
    const parameters = { name: 'Sale', dailyBudgetMinor: 5_000, currency: 'EUR' };
    const timestamp = new Date(clock.now()).toISOString();
    const command = {
      ...{ campaignId, merchantId: merchant, requestedState, adNetworkIds: ['meta'], timestamp },
      campaignParametersForSync: parameters,
    };
    const event = { ...lanewayEvent(commands, command), merchantId: merchant };
    await runHandler(db, synchronizeCampaignStateWithAdNetworks, [event]);
    const told: string[] = [];
    const queue = [callOf(campaignId, { ...parameters, state: requestedState })];
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const current = next;
      const { name, state, changed } = current.desired;
      told.push(`${String(name)} ${String(state)}${changed === undefined ? '' : ` ${JSON.stringify(changed)}`}`);
      const context: EffectContext = {
        now: clock.now(),
        emit: () => undefined,
        intend: (intent) => void queue.push(callOf(intent.objectKey, intent.desired)),
      };
      const result = await driver.send(current, new AbortController().signal).catch((error: unknown) => error);
      if (result instanceof LanewayError)
        await db.transaction().execute((trx) => driver.recordFailure(trx, current, result, context));
      else {
        // What the driver answers with, when it does not throw.
        const done = result as Awaited<ReturnType<typeof driver.send>>;
        externalIds.set(current.objectKey, done.externalId);
        await db.transaction().execute((trx) => driver.recordSuccess(trx, current, done, undefined, context));
      }
    }
    return told;
  };
  return {
    gateway,
    merchant,
    call,
    callOf,
    follow,
    driver,
    [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
  };
}

interface Shown {
  name: string;
  state: string;
  networks: { status: string; actualState: string | null; error: { code: string } | null }[];
  ads?: Shown[];
}

const meta = { targeting: { geo_locations: { countries: ['DE'] } }, billing_event: 'IMPRESSIONS' };

test('ad sets follow their campaign and ads their ad set, each is told once of each change, and ends with what it is in', async () => {
  await using world = await setUp();
  const { call, follow } = world;
  const made = await call(202, 'POST', '/v1/campaigns', {
    ...{ name: 'Sale', adNetworkIds: ['meta'], dailyBudgetMinor: 5_000, currency: 'EUR' },
  });
  const { campaignId } = made.campaign;
  const path = `/v1/campaigns/${campaignId}`;
  const settings = { meta: { ...meta, optimization_goal: 'LINK_CLICKS' } };
  const ad = { settings: { meta: { creative: { creative_id: '7' } } } };
  const { adSetId, operationId } = await call(202, 'POST', `${path}/ad-sets`, { name: 'Germany', settings });
  assert.is((await call(200, 'GET', `/v1/operations/${operationId}`)).status, 'pending');
  const { adId } = await call(202, 'POST', `${path}/ad-sets/${adSetId}/ads`, { name: 'Video', ...ad });
  assert.equal(await follow(campaignId), ['Sale active', 'Germany active', 'Video active']);
  assert.equal(await follow(campaignId), ['Sale active']);

  await call(202, 'POST', `${path}/ad-sets/${adSetId}/ads`, { name: 'Still', state: 'paused', ...ad });
  await call(202, 'POST', `${path}/ads/${adId}/state`, { state: 'paused' });
  assert.equal(await follow(campaignId), ['Sale active', 'Video paused', 'Still paused']);
  const bad = await call(202, 'POST', `${path}/ad-sets`, { name: 'No targeting', settings: { meta: {} } });
  await call(202, 'POST', `${path}/ad-sets/${bad.adSetId}/ads`, { name: 'Orphan', ...ad });
  assert.equal(await follow(campaignId), ['Sale active', 'No targeting active']);
  const shown = async () => {
    const { adSets } = await call(200, 'GET', `${path}/ad-sets`);
    const line = ({ name, state, networks: [on] }: Shown) =>
      `${name} ${state} ${on?.status} ${on?.actualState} ${on?.error?.code}`;
    return adSets.flatMap((set: Shown) => [line(set), ...(set.ads ?? []).map(line)]);
  };
  assert.equal(await shown(), [
    'Germany active live active undefined',
    'Video paused live paused undefined',
    'Still paused live paused undefined',
    'No targeting active failed null effect.rejected',
    'Orphan active undefined undefined undefined',
  ]);

  const bid = { settings: { meta: { bid_amount: 250 } } };
  const changed = await call(202, 'PATCH', `${path}/ad-sets/${adSetId}`, { name: 'Austria', ...bid });
  assert.is((await call(200, 'GET', `/v1/operations/${changed.operationId}`)).status, 'pending');
  await call(202, 'PATCH', `${path}/ads/${adId}`, { name: 'Film' });
  assert.equal(await follow(campaignId), ['Sale active', 'Austria active {"bid_amount":250}', 'Film paused {}']);
  assert.is((await call(202, 'PATCH', `${path}/ad-sets/${adSetId}`, bid)).operationId, null);
  const { db } = world.gateway.world.postgres;
  const row = await db.selectFrom('ad_objects').select('settings').where('object_id', '=', adSetId).executeTakeFirst();
  assert.equal(row?.settings, { meta: { ...settings.meta, bid_amount: 250 } }, 'what is left out stays');
  assert.equal(await follow(campaignId), ['Sale active']);
  await call(400, 'PATCH', `${path}/ads/${adId}`, {});
  await call(404, 'PATCH', `${path}/ads/${adSetId}`, { name: 'Not an ad' });
  await call(409, 'PATCH', `${path}/ad-sets/${adSetId}`, { settings: { tiktok: {} } });
  assert.equal((await shown()).slice(0, 3), [
    'Austria active live active undefined',
    'Film paused live paused undefined',
    'Still paused live paused undefined',
  ]);

  await call(202, 'POST', `${path}/ad-sets/${adSetId}/state`, { state: 'ended' });
  assert.equal(await follow(campaignId), ['Sale active', 'Austria ended', 'Film ended', 'Still ended']);
  const late = await call(409, 'POST', `${path}/ads/${adId}/state`, { state: 'active' });
  assert.is(late.code, 'campaigns.illegal_transition');
  await call(409, 'POST', `${path}/ad-sets/${adSetId}/ads`, { name: 'Late', ...ad });
  await call(409, 'PATCH', `${path}/ads/${adId}`, { name: 'Late' });
  await call(409, 'POST', `${path}/ad-sets`, { name: 'Elsewhere', settings: { tiktok: {} } });
  await call(404, 'POST', `${path}/ad-sets/${adId}/ads`, { name: 'Under an ad', ...ad });
  await call(400, 'POST', `${path}/ad-sets`, { name: 'Nowhere', settings: {} });
  assert.equal(await follow(campaignId), ['Sale active']);
  const other = await world.gateway.addMerchant('shop-other');
  const theirs = await world.gateway.call(`${path}/ad-sets`, { as: other });
  assert.equal(JSON.parse(theirs.text), { adSets: [] });
});

test.run();
