import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startGateway } from '../testing/start-gateway.ts';
import { planMaintenance } from '../../core/contexts/platform/writes.ts';

test('a report shows a merchant its own days, with ratios; a range that is none is refused', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const other = await gateway.addMerchant('shop-2');
  const key = {
    merchant_id: 'shop-1',
    day: '2026-11-20',
    ad_network_id: 'meta',
    campaign_id: 'cmp-1',
    currency: 'EUR',
  };
  const { db } = gateway.world.postgres;
  await db
    .insertInto('ad_days')
    .values({
      ...key,
      is_account: false,
      impressions: 1_000,
      clicks: 40,
      conversions: 2.5,
      spend_micros: 10_000_000,
      as_of: new Date('2026-11-21T06:00:00.000Z'),
    })
    .execute();
  await db
    .insertInto('order_days')
    .values({ ...key, orders: 2, revenue_minor: 3_500, as_of: new Date('2026-11-22T06:00:00.000Z') })
    .execute();
  const path = '/v1/reports/performance?from=2026-11-01&to=2026-11-30';
  const answer = await gateway.call(`${path}&groupBy=campaign`, { as });
  assert.is(answer.status, 200);
  assert.equal(JSON.parse(answer.text), {
    rows: [
      {
        day: null,
        adNetworkId: 'meta',
        campaignId: 'cmp-1',
        productId: null,
        title: null,
        brand: null,
        currency: 'EUR',
        impressions: '1000',
        clicks: '40',
        conversions: 2.5,
        spendMicros: '10000000',
        orders: '2',
        units: null,
        revenueMicros: '35000000',
        roas: '3.5000',
        ctr: '0.040000',
        cpaMicros: '5000000',
        cpcMicros: '250000',
        cpmMicros: '10000000',
        asOf: '2026-11-22T06:00:00.000Z',
      },
    ],
    complete: true,
  });
  assert.equal(JSON.parse((await gateway.call(path, { as: other })).text), { rows: [], complete: true });
  for (const range of ['from=2026-11-02&to=2026-11-01', 'from=2020-01-01&to=2026-01-01', 'from=x&to=y'])
    assert.is((await gateway.call(`/v1/reports/performance?${range}`, { as })).status, 400, range);

  // The windows by which orders are attributed are a merchant's own, and who chose them is on record.
  const windows = '/v1/reports/attribution-windows';
  assert.equal(JSON.parse((await gateway.call(windows, { as })).text), { clickDays: 7, viewDays: 1 });
  const put = (body: unknown) => gateway.call(windows, { as, method: 'PUT', body });
  assert.is((await put({ clickDays: 28, viewDays: 0 })).status, 200);
  assert.is((await put({ clickDays: 91, viewDays: 0 })).status, 400);
  assert.equal(JSON.parse((await gateway.call(windows, { as })).text), { clickDays: 28, viewDays: 0 });
  assert.equal(JSON.parse((await gateway.call(windows, { as: other })).text), { clickDays: 7, viewDays: 1 });
  // What the platform tells of itself.
  const quotas = JSON.parse((await gateway.call('/v1/quotas', { as })).text);
  assert.equal(quotas, { campaigns: 1_000, audienceSegments: 100, webhookEndpoints: 20 });
  const [startsAt, endsAt] = [new Date('2100-01-01T00:00:00.000Z'), new Date('2100-01-01T01:00:00.000Z')];
  const requester = { by: 'ada', reason: 'A new database.' };
  await planMaintenance(db, { windowId: 'w-1', startsAt, endsAt, requester }, Date.now());
  assert.equal(JSON.parse((await gateway.call('/v1/maintenance', { as })).text), {
    windows: [
      {
        windowId: 'w-1',
        startsAt: '2100-01-01T00:00:00.000Z',
        endsAt: '2100-01-01T01:00:00.000Z',
        reason: 'A new database.',
      },
    ],
  });
  const audited = await db.selectFrom('audit_log').select(['action', 'before']).execute();
  assert.equal(audited, [{ action: 'attribution_windows.chosen', before: { clickDays: 7, viewDays: 1 } }]);
});

test.run();
