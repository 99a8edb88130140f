// test-stack
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { adPerformanceDataIngestedPayload } from './events.ts';
import { adNetworkJobs } from './schedules.ts';
import { setUpNetwork } from './testing/network-world.ts';
import type { Emission } from '../../events/handler.ts';

const ofCampaigns = { objectKey: 'report/recent', desired: { kind: 'report', days: 3 } };
const ofAds = { objectKey: 'ad-report/recent', desired: { kind: 'ad_report', days: 3 } };

/** Two ads of ours in one campaign, and one that somebody else made there. */
async function setUp() {
  const s = await setUpNetwork();
  const campaign = await s.addCampaign('cmp-1');
  await s.addAdObjects('cmp-1', [
    { objectId: 'set-1' },
    { objectId: 'ad-1', adSetId: 'set-1' },
    { objectId: 'ad-2', adSetId: 'set-1' },
  ]);
  await s.carryOutOpen();
  const [set] = await s.meta.adObjects.list(
    s.account,
    'ad_set',
    { campaignIds: [campaign], settingNames: [] },
    s.signal(),
  );
  const outside = {
    parentId: set?.externalId ?? '',
    name: 'By hand',
    tag: '',
    state: 'active',
    settings: { creative: {} },
  };
  await s.meta.adObjects.create(s.account, 'ad', { ...outside, state: 'active' }, 'ab', s.signal());
  return s;
}

const placesOf = (emissions: readonly Emission[]) =>
  emissions
    .map(({ eventType, payload }) => {
      assert.is(eventType, 'AdPerformanceDataIngestedEvent');
      const { campaignId, adSetId, adId, metricsPayload } = adPerformanceDataIngestedPayload.parse(payload);
      assert.ok(metricsPayload.spendMicros > 0 && metricsPayload.currency === 'EUR');
      return `${campaignId} ${adSetId} ${adId}`;
    })
    .toSorted();
const both = ['cmp-1 set-1 ad-1', 'cmp-1 set-1 ad-2'];

test('days of our ads are published once, after those of their campaign, and again only when they have moved', async () => {
  await using s = await setUp();
  assert.equal(await s.carryOut(ofAds), [], 'nothing was said of the campaign yet');
  await s.carryOut(ofCampaigns);
  assert.equal(placesOf(await s.carryOut(ofAds)), both);
  assert.equal(await s.carryOut(ofAds), []);
  await s.db.updateTable('ad_performance_reads').set({ figures_hash: 'old' }).where('ad_id', '=', 'ad-2').execute();
  assert.equal(placesOf(await s.carryOut(ofAds)), ['cmp-1 set-1 ad-2']);
});

test('ads are asked about only at networks that have some', async () => {
  await using s = await setUp();
  await s.addCampaign('cmp-2');
  const state = await s.db.selectFrom('campaign_network_states').selectAll().executeTakeFirstOrThrow();
  await s.db
    .insertInto('campaign_network_states')
    .values({ ...state, ad_network_id: 'tiktok', desired: '{}' })
    .execute();
  const period = { startMs: Date.UTC(2026, 10, 24, 6), endMs: Date.UTC(2026, 10, 24, 12) };
  const jobs = adNetworkJobs.filter(({ name }) => name.includes('ad_performance'));
  for (const job of jobs)
    await s.db.transaction().execute((trx) => job.due(trx, { period, nowMs: s.clock.now(), after: '', limit: 10 }));
  const intents = (await s.intents()).filter(({ objectKey }) => objectKey.startsWith('ad-report/'));
  assert.equal(
    intents.map((each) => [each.objectKey, each.desired]),
    [
      ['ad-report/recent', { kind: 'ad_report', days: 3, period: '2026-11-24T06:00:00.000Z' }],
      ['ad-report/restated', { kind: 'ad_report', days: 30, period: '2026-11-24T06:00:00.000Z' }],
    ],
  );
});

test.run();
