// test-stack
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { adPerformanceDataIngestedPayload } from './events.ts';
import { adNetworkJobs } from './schedules.ts';
import { setUpNetwork } from './testing/network-world.ts';
import { processIngestedPerformanceData } from '../analytics/process-ingested-performance-data.ts';
import { readPerformanceTotals } from '../analytics/reads.ts';
import type { Emission } from '../../events/handler.ts';
import { lanewayEvent, runHandler } from '../../testing/run-handler.ts';

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
  const [set] = await s.meta.adObjects.list(s.account, 'ad_set', [campaign], s.signal());
  const outside = {
    parentId: set?.externalId ?? '',
    name: 'By hand',
    tag: '',
    state: 'active',
    settings: { creative: {} },
  };
  await s.meta.adObjects.create(s.account, 'ad', { ...outside, state: 'active' }, 'ab', s.signal());
  const [fake] = await s.meta.report(s.account, today(s.clock.now()), s.signal());
  return Object.assign(s, { spent: fake?.spendMicros ?? 0 });
}

const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
const today = (ms: number) => ({ from: dayOf(ms), to: dayOf(ms) });
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

test('figures of ads add nothing to what their campaign has spent, in whatever order they are handled, and restated', async () => {
  await using s = await setUp();
  let handled = 0;
  const handle = async (emissions: readonly Emission[]) => {
    for (const { payload } of emissions) {
      handled += 1;
      const parsed = adPerformanceDataIngestedPayload.parse(payload);
      const event = { ...lanewayEvent(handled, parsed), merchantId: s.merchantId };
      await runHandler(s.db, processIngestedPerformanceData, [event]);
    }
  };
  const range = today(s.clock.now());
  const spent = async () => {
    const totals = await s.db.transaction().execute((trx) => readPerformanceTotals(trx, s.merchantId, range));
    const days = await s.db.selectFrom('ad_days').select('spend_micros').where('day', '=', range.to).execute();
    return [...totals.map(({ spendMicros }) => spendMicros), ...days.map((row) => row.spend_micros)];
  };
  const campaigns = await s.carryOut(ofCampaigns);
  const ads = await s.carryOut(ofAds);
  await handle(ads);
  const [parts = 0] = await spent();
  assert.ok(parts > 0 && parts < s.spent);
  await handle(campaigns);
  assert.equal(await spent(), [s.spent, s.spent]);
  await s.db.updateTable('ad_performance_reads').set({ figures_hash: 'old' }).execute();
  await handle(await s.carryOut(ofAds));
  assert.equal(await spent(), [s.spent, s.spent]);
  const facts = await s.db.selectFrom('ad_performance').selectAll().where('ad_id', '<>', '').orderBy('ad_id').execute();
  assert.equal(
    facts.map((fact) => [fact.ad_set_id, fact.ad_id]),
    [
      ['set-1', 'ad-1'],
      ['set-1', 'ad-2'],
    ],
  );
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
