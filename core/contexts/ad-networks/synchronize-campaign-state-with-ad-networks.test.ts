import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { synchronizeCampaignStateWithAdNetworks } from './synchronize-campaign-state-with-ad-networks.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { runTwice } from '../../testing/duplicate.ts';
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

test('a network that is new to a campaign gets the parameters that were desired last', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const named = (name: string) => ({ campaignParametersForSync: { ...parameters, name } });
  await runHandler(db, synchronizeCampaignStateWithAdNetworks, [
    command(1, 'active', 1, { ...named('first'), adNetworkIds: ['google_ads'] }),
    command(2, 'active', 2, { ...named('second'), adNetworkIds: ['meta'] }),
  ]);
  const run = await runHandler(db, synchronizeCampaignStateWithAdNetworks, [
    command(3, 'active', 3, { adNetworkIds: ['tiktok', 'google_ads'] }),
  ]);
  assert.equal(
    run.intents.map(({ destination, desired }) => [destination, desired['name']]),
    [
      ['ad-network:google_ads', 'first'],
      ['ad-network:tiktok', 'second'],
    ],
  );
});

test('a command goes to the networks where it is newest and leaves the others', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  await runHandler(db, synchronizeCampaignStateWithAdNetworks, [
    command(1, 'active', 1, { campaignParametersForSync: parameters }),
    command(2, 'ended', 5, { adNetworkIds: ['meta'] }),
  ]);
  const run = await runHandler(db, synchronizeCampaignStateWithAdNetworks, [command(3, 'paused', 3)]);
  assert.equal(run.outcomes, [{ kind: 'done' }]);
  assert.equal(
    run.intents.map(({ destination }) => destination),
    ['ad-network:google_ads'],
  );
});

test('handling commands again leaves the state they left the first time', async () => {
  await using world = await createWorld();
  const commands = [
    command(1, 'active', 1, { campaignParametersForSync: parameters }),
    command(2, 'paused', 2),
    command(3, 'active', 2, { campaignParametersForSync: { ...parameters, dailyBudgetMinor: 6_000 } }),
  ];
  const tables = ['campaign_network_states'] as const;
  const { once, twice, second } = await runTwice(world, synchronizeCampaignStateWithAdNetworks, commands, [...tables]);
  assert.is(twice, once);
  // What is still the newest is asked for again, which does the network no harm.
  assert.equal(
    second.outcomes.map(({ kind }) => kind),
    ['skip', 'done', 'done'],
  );
});

const withProduct = { campaignParametersForSync: { ...parameters, productIds: ['sku-1'] } };

test('a command to activate waits for its products, up to ten minutes from its first look, and then fails', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const activate = command(1, 'active', 1, withProduct);
  const first = await runHandler(db, synchronizeCampaignStateWithAdNetworks, [activate]);
  assert.equal(first.outcomes, [{ kind: 'snooze', delayMs: 1_000, reason: 'waits for product sku-1' }]);
  assert.equal(first.intents, []);
  const sinceMinutes = (minutes: number) =>
    db
      .updateTable('campaign_product_waits')
      .set({ since: new Date(Date.parse('2026-11-23T12:00:00.000Z') - minutes * 60_000) })
      .execute();
  await sinceMinutes(9.9);
  const last = await runHandler(db, synchronizeCampaignStateWithAdNetworks, [activate]);
  assert.equal(last.outcomes, [{ kind: 'snooze', delayMs: 6_000, reason: 'waits for product sku-1' }]);
  await sinceMinutes(10);
  let thrown: unknown;
  await runHandler(db, synchronizeCampaignStateWithAdNetworks, [activate]).catch((e: unknown) => (thrown = e));
  assert.ok(thrown instanceof LanewayError);
  assert.equal([thrown.code, thrown.retry], ['catalog.product_missing', 'never']);

  await sql`insert into products (merchant_id, product_id, attributes, source_at, updated_at)
    values ('shop-1', 'sku-1', '{}', now(), now())`.execute(db);
  const known = await runHandler(db, synchronizeCampaignStateWithAdNetworks, [activate]);
  assert.equal([known.outcomes, known.intents.length], [[{ kind: 'done' }], 2]);
  assert.equal(await db.selectFrom('campaign_product_waits').selectAll().execute(), []);
});

test('a command to pause waits for no product', async () => {
  await using world = await createWorld();
  const run = await runHandler(world.postgres.db, synchronizeCampaignStateWithAdNetworks, [
    command(1, 'paused', 1, withProduct),
  ]);
  assert.equal(run.outcomes, [{ kind: 'done' }]);
});

test.run();
