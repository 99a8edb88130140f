// test-stack
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { adPerformanceDataIngestedPayload } from '../core/contexts/ad-networks/events.ts';
import { setUpNetwork } from '../core/contexts/ad-networks/testing/network-world.ts';
import { processIngestedPerformanceData } from '../core/contexts/analytics/process-ingested-performance-data.ts';
import { readPerformanceTotals } from '../core/contexts/analytics/reads.ts';
import type { Emission } from '../core/events/handler.ts';
import { lanewayEvent, runHandler } from '../core/testing/run-handler.ts';

const ofCampaigns = { objectKey: 'report/recent', desired: { kind: 'report', days: 3 } };
const ofAds = { objectKey: 'ad-report/recent', desired: { kind: 'ad_report', days: 3 } };

test('figures of ads add nothing to what their campaign has spent, in whatever order they are handled, and restated', async () => {
  await using s = await setUpNetwork();
  const campaign = await s.addCampaign('cmp-1');
  const ads1 = { objectId: 'ad-1', adSetId: 'set-1' };
  await s.addAdObjects('cmp-1', [{ objectId: 'set-1' }, ads1, { objectId: 'ad-2', adSetId: 'set-1' }]);
  await s.carryOutOpen();
  const [set] = await s.meta.adObjects.list(
    s.account,
    'ad_set',
    { campaignIds: [campaign], settingNames: [] },
    s.signal(),
  );
  // An ad of somebody else has its part in what the campaign spends.
  const outside = { parentId: set?.externalId ?? '', name: 'By hand', tag: '', settings: { creative: {} } };
  await s.meta.adObjects.create(s.account, 'ad', { ...outside, state: 'active' }, 'ab', s.signal());
  const day = new Date(s.clock.now()).toISOString().slice(0, 10);
  const range = { from: day, to: day };
  const whole = (await s.meta.report(s.account, range, s.signal()))[0]?.spendMicros ?? 0;
  let handled = 0;
  const handle = async (emissions: readonly Emission[]) => {
    for (const { payload } of emissions) {
      handled += 1;
      const parsed = adPerformanceDataIngestedPayload.parse(payload);
      const event = { ...lanewayEvent(handled, parsed), merchantId: s.merchantId };
      await runHandler(s.db, processIngestedPerformanceData, [event]);
    }
  };
  const spent = async () => {
    const totals = await s.db.transaction().execute((trx) => readPerformanceTotals(trx, s.merchantId, range));
    const days = await s.db.selectFrom('ad_days').select('spend_micros').where('day', '=', range.to).execute();
    return [...totals.map(({ spendMicros }) => spendMicros), ...days.map((row) => row.spend_micros)];
  };
  const campaigns = await s.carryOut(ofCampaigns);
  const ads = await s.carryOut(ofAds);
  await handle(ads);
  const [parts = 0] = await spent();
  assert.ok(parts > 0 && parts < whole);
  await handle(campaigns);
  assert.equal(await spent(), [whole, whole]);
  await s.db.updateTable('ad_performance_reads').set({ figures_hash: 'old' }).execute();
  await handle(await s.carryOut(ofAds));
  assert.equal(await spent(), [whole, whole]);
  const facts = await s.db.selectFrom('ad_performance').selectAll().where('ad_id', '<>', '').orderBy('ad_id').execute();
  assert.equal(
    facts.map((fact) => [fact.ad_set_id, fact.ad_id]),
    [
      ['set-1', 'ad-1'],
      ['set-1', 'ad-2'],
    ],
  );
});

test.run();
