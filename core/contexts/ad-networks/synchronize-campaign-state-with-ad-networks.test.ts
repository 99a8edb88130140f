import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { synchronizeCampaignStateWithAdNetworks } from './synchronize-campaign-state-with-ad-networks.ts';
import { lanewayEvent, runHandler, snapshot } from '../../testing/run-handler.ts';
import { createWorld } from '../../testing/world.ts';

const parameters = { name: 'Winter sale', dailyBudgetMinor: 5_000, currency: 'EUR' };
const command = (n: number, requestedState: string, second: number, more: Record<string, unknown> = {}) =>
  lanewayEvent(n, {
    campaignId: 'cmp-1',
    merchantId: 'shop-1',
    requestedState,
    adNetworkIds: ['meta', 'google_ads'],
    timestamp: `2026-11-23T10:00:0${second}.000Z`,
    ...more,
  });

test('a command is written as desired state and one intent for each network', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const run = await runHandler(db, synchronizeCampaignStateWithAdNetworks, [
    command(1, 'active', 1, { campaignParametersForSync: parameters }),
  ]);
  assert.equal(run.intents, [
    { destination: 'ad-network:google_ads', objectKey: 'cmp-1', desired: { state: 'active', ...parameters } },
    { destination: 'ad-network:meta', objectKey: 'cmp-1', desired: { state: 'active', ...parameters } },
  ]);
  const rows = await db
    .selectFrom('campaign_network_states')
    .select(['ad_network_id', 'desired_state', 'status', 'desired_event_id'])
    .execute();
  assert.equal(
    rows.map((r) => [r.ad_network_id, r.desired_state, r.status, r.desired_event_id]),
    [
      ['google_ads', 'active', 'pending', 'event-0001'],
      ['meta', 'active', 'pending', 'event-0001'],
    ],
  );
});

test('a command without parameters keeps those the campaign has; one for an unknown campaign fails for good', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  let thrown: unknown;
  await runHandler(db, synchronizeCampaignStateWithAdNetworks, [command(1, 'active', 1)]).catch(
    (e: unknown) => (thrown = e),
  );
  assert.match(String(thrown), 'campaignParametersForSync');
  assert.is((thrown as { retry: string }).retry, 'never');
  await runHandler(db, synchronizeCampaignStateWithAdNetworks, [
    command(2, 'active', 2, { campaignParametersForSync: parameters }),
  ]);
  const paused = await runHandler(db, synchronizeCampaignStateWithAdNetworks, [command(3, 'paused', 3)]);
  assert.equal(paused.intents[1]?.desired, { state: 'paused', ...parameters });
});

test('a command that is older than what is desired changes nothing, and an ended campaign stays ended', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  await runHandler(db, synchronizeCampaignStateWithAdNetworks, [
    command(1, 'ended', 5, { campaignParametersForSync: parameters }),
  ]);
  const before = await snapshot(db, ['campaign_network_states']);
  for (const late of [command(2, 'active', 3), command(3, 'active', 7)]) {
    const run = await runHandler(db, synchronizeCampaignStateWithAdNetworks, [late]);
    assert.is(run.outcomes[0]?.kind, 'skip');
    assert.equal(run.intents, []);
  }
  assert.is(await snapshot(db, ['campaign_network_states']), before);
});

test('handling a command twice leaves the state it left the first time', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const event = command(1, 'active', 1, { campaignParametersForSync: parameters });
  const first = await runHandler(db, synchronizeCampaignStateWithAdNetworks, [event]);
  const before = await snapshot(db, ['campaign_network_states']);
  const second = await runHandler(db, synchronizeCampaignStateWithAdNetworks, [event]);
  assert.is(await snapshot(db, ['campaign_network_states']), before);
  assert.equal(second.intents, first.intents);
});

test.run();
