// test-stack
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { adPerformanceDataIngestedPayload } from './events.ts';
import { adNetworkJobs } from './schedules.ts';
import { setUpNetwork } from './testing/network-world.ts';
import type { ScheduledTurn } from '../../schedules/definition.ts';

const report = { objectKey: 'report/recent', desired: { kind: 'report', days: 3 } };

test('every day of our campaigns is published once, and again only when its figures have moved', async () => {
  await using s = await setUpNetwork();
  await s.addCampaign('cmp-1');
  await s.addCampaign('cmp-2');
  await s.meta.createCampaign(s.account, { state: 'active', name: 'Theirs', dailyBudgetMinor: 1 }, 'ab', s.signal());
  const first = await s.carryOut(report);
  const told = first.map(({ eventType, payload }) => {
    assert.is(eventType, 'AdPerformanceDataIngestedEvent');
    const { campaignId, reportDate, metricsPayload } = adPerformanceDataIngestedPayload.parse(payload);
    assert.is(metricsPayload.currency, 'EUR');
    return `${campaignId} ${reportDate}`;
  });
  assert.is(new Set(told).size, 6);
  assert.equal([...new Set(told.map((each) => each.slice(0, 5)))].toSorted(), ['cmp-1', 'cmp-2']);
  assert.equal(await s.carryOut(report), []);

  // Restated: what was read then is not what is read now.
  await s.db.updateTable('performance_reads').set({ figures_hash: 'old' }).where('campaign_id', '=', 'cmp-2').execute();
  const second = await s.carryOut(report);
  assert.equal(
    second.map(({ payload }) => payload['campaignId']),
    ['cmp-2', 'cmp-2', 'cmp-2'],
  );
});

test('a fetch whose process died before it recorded anything publishes nothing, and the next one all', async () => {
  await using s = await setUpNetwork();
  await s.addCampaign('cmp-1');
  const call = s.callOf(report);
  const emitted: unknown[] = [];
  const context = {
    now: s.clock.now(),
    emit: (emission: unknown) => void emitted.push(emission),
    intend: () => undefined,
  };
  const result = { externalId: 'report', actual: { rows: 3 } };
  await s.db.transaction().execute((trx) => s.driver.recordSuccess(trx, call, result, undefined, context));
  assert.equal(emitted, []);
  assert.is((await s.carryOut(report)).length, 3);
});

test('a scheduled job declares one intent for each network that holds campaigns, page by page', async () => {
  await using s = await setUpNetwork();
  await s.addCampaign('cmp-1');
  await s.addCampaign('cmp-2');
  const state = await s.db.selectFrom('campaign_network_states').selectAll().executeTakeFirstOrThrow();
  const others = [
    { ...state, merchant_id: 'shop-a', desired: '{}' },
    { ...state, merchant_id: 'shop-b', ad_network_id: 'tiktok', desired: '{}' },
    { ...state, merchant_id: 'shop-c', external_id: null, desired: '{}' },
  ];
  await s.db.insertInto('campaign_network_states').values(others).execute();
  const [job] = adNetworkJobs;
  assert.ok(job !== undefined);
  const period = { startMs: Date.UTC(2026, 10, 24, 10), endMs: Date.UTC(2026, 10, 24, 11) };
  let after: string | undefined = '';
  for (let pages = 0; after !== undefined && pages < 10; pages++) {
    const turn: ScheduledTurn = { period, nowMs: s.clock.now(), after, limit: 2 };
    after = (await s.db.transaction().execute((trx) => job.due(trx, turn))).next;
  }
  const intents = await s.db.selectFrom('intents').selectAll().where('object_key', '=', 'report/recent').execute();
  assert.equal(intents.map((each) => `${each.merchant_id} ${each.destination} ${each.state}`).toSorted(), [
    'shop-a ad-network:meta pending',
    'shop-b ad-network:tiktok pending',
    `${s.merchantId} ad-network:meta pending`,
  ]);
  assert.equal(intents[0]?.desired, { kind: 'report', days: 3, period: '2026-11-24T10:00:00.000Z' });
});

test.run();
