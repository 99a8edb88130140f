import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { listInvoices } from './reads.ts';
import { runBillingCycle } from './run-billing-cycle.ts';
import { billingJobs } from './schedules.ts';
import { choosePlan, finalizeInvoice } from './writes.ts';
import { runTwice } from '../../testing/duplicate.ts';
import { lanewayEvent, runHandler } from '../../testing/run-handler.ts';
import { type World, createWorld } from '../../testing/world.ts';

const NOON = Date.parse('2026-11-01T12:00:00.000Z');

const cycle = (n: number, billingPeriod: string) =>
  lanewayEvent(
    n,
    { merchantId: 'shop-1', billingPeriod, timestamp: '2026-11-01T00:00:00.000Z' },
    { eventType: 'BillingCycleEvent' },
  );

/** What a network reports of a campaign's day, or of its account's. */
const spend = (
  { postgres: { db } }: World,
  day: string,
  network: string,
  micros: number,
  { currency = 'EUR', campaignId = 'c' } = {},
) =>
  sql`
    insert into ad_days (merchant_id, day, ad_network_id, campaign_id, currency, is_account, impressions, clicks,
      conversions, spend_micros, as_of)
    values ('shop-1', ${day}::date, ${network}, ${campaignId}, ${currency}, ${campaignId === ''}, 10, 5, 0, ${micros}, now())
    on conflict (merchant_id, day, ad_network_id, campaign_id, currency) do update set spend_micros = excluded.spend_micros
  `.execute(db);

const grow = ({ postgres: { db } }: World) =>
  db.transaction().execute((trx) => choosePlan(trx, 'shop-1', { planId: 'growth', fromDay: '2026-10-16' }, NOON));

const invoices = async ({ postgres: { db } }: World) =>
  (await listInvoices(db, 'shop-1', { limit: 10 })).items.map(
    ({ invoiceNumber, status, totalMinor, lines }) =>
      `${invoiceNumber} ${status} ${totalMinor} = ${lines.map(({ amountMinor }) => amountMinor).join(' + ')}`,
  );

test('a cycle drafts one invoice for each currency, and intends to collect it when it is final', async () => {
  await using world = await createWorld();
  await grow(world);
  await spend(world, '2026-10-31', 'meta', 100_000_000);
  await spend(world, '2026-10-31', 'tiktok', 50_000_000_000, { currency: 'JPY' });
  // Of another month.
  await spend(world, '2026-11-01', 'meta', 700_000_000);
  const run = await runHandler(world.postgres.db, runBillingCycle, [cycle(1, '2026-10')]);
  assert.equal(await invoices(world), ['EUR-2026-10 draft 2729 = 2529 + 200', 'JPY-2026-10 draft 1000 = 1000']);
  assert.equal(
    run.intents.map(({ destination, objectKey, notBeforeMs = 0 }) => [
      destination,
      objectKey,
      new Date(notBeforeMs).toISOString(),
    ]),
    [
      ['payments', 'EUR-2026-10/1', '2026-11-23T13:00:00.000Z'],
      ['payments', 'JPY-2026-10/1', '2026-11-23T13:00:00.000Z'],
    ],
  );
  assert.equal(
    run.emissions.map(({ payload }) => [payload['webhookType'], payload['data']]),
    [
      ['invoice.drafted', { invoiceNumber: 'EUR-2026-10', billingPeriod: '2026-10' }],
      ['invoice.drafted', { invoiceNumber: 'JPY-2026-10', billingPeriod: '2026-10' }],
    ],
  );
  // Reckoned anew, they are nothing new.
  assert.equal((await runHandler(world.postgres.db, runBillingCycle, [cycle(2, '2026-10')])).emissions, []);
});

test('a period is invoiced once however often its cycle is run; a draft follows the figures, a final invoice does not', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  await grow(world);
  const { once, twice } = await runTwice(world, runBillingCycle, [cycle(1, '2026-10')], ['invoices']);
  assert.is(twice, once);
  await spend(world, '2026-10-20', 'meta', 100_000_000);
  await runHandler(db, runBillingCycle, [cycle(2, '2026-10')]);
  assert.equal(await invoices(world), ['EUR-2026-10 draft 2729 = 2529 + 200']);
  await spend(world, '2026-10-20', 'meta', 200_000_000);
  const finalize = () => db.transaction().execute((trx) => finalizeInvoice(trx, 'shop-1', 'EUR-2026-10', NOON));
  const final = await finalize();
  assert.equal([final?.status, final?.totalMinor], ['open', 2_929]);
  await spend(world, '2026-10-20', 'meta', 900_000_000);
  const after = await runHandler(db, runBillingCycle, [cycle(3, '2026-10')]);
  assert.equal([after.intents, await finalize()], [[], final]);
  assert.equal(await invoices(world), ['EUR-2026-10 open 2929 = 2529 + 400']);
});

test('cycles of different periods keep their own invoices, whichever comes first', async () => {
  await using world = await createWorld();
  await grow(world);
  await runHandler(world.postgres.db, runBillingCycle, [cycle(1, '2026-11'), cycle(2, '2026-10')]);
  assert.equal(await invoices(world), ['EUR-2026-10 draft 2529 = 2529', 'EUR-2026-11 draft 4900 = 4900']);
});

test('spend is billed once where a network reports its account beside campaigns', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  await grow(world);
  await spend(world, '2026-10-30', 'meta', 100_000_000);
  await spend(world, '2026-10-30', 'meta', 100_000_000, { campaignId: 'd' });
  await spend(world, '2026-10-30', 'meta', 900_000_000, { campaignId: '' });
  await spend(world, '2026-10-30', 'tiktok', 300_000_000, { campaignId: '' });
  await spend(world, '2026-10-31', 'meta', 500_000_000, { campaignId: '' });
  await runHandler(db, runBillingCycle, [cycle(1, '2026-10')]);
  assert.equal(await invoices(world), ['EUR-2026-10 draft 4529 = 2529 + 1400 + 600']);
  // A campaign that comes later takes the place of its account.
  await spend(world, '2026-10-31', 'meta', 100_000_000);
  await runHandler(db, runBillingCycle, [cycle(2, '2026-10')]);
  assert.equal(await invoices(world), ['EUR-2026-10 draft 3729 = 2529 + 600 + 600']);
});

test('who pays nothing gets no invoice', async () => {
  await using world = await createWorld();
  const run = await runHandler(world.postgres.db, runBillingCycle, [cycle(1, '2026-10')]);
  assert.equal(run.outcomes, [{ kind: 'skip', reason: 'nothing is to be paid for this period' }]);
  assert.equal(await invoices(world), []);
});

test('on the first of a month each merchant is due once for the month that ended', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const merchants = ['a', 'b', 'c'].map((name) => ({ merchant_id: name, name, created_at: new Date(NOON) }));
  await db.insertInto('merchants').values(merchants).execute();
  const [job] = billingJobs;
  assert.ok(job);
  const period = { startMs: Date.parse('2026-11-01T03:00:00.000Z'), endMs: Date.parse('2026-12-01T03:00:00.000Z') };
  const page = (after: string) =>
    db.transaction().execute((trx) => job.due(trx, { period, nowMs: NOON, after, limit: 2 }));
  const [first, second] = [await page(''), await page('b')];
  assert.equal([first.next, second.next], ['b', undefined]);
  assert.equal(
    [...first.events, ...second.events].map(({ merchantId, payload }) => [merchantId, payload['billingPeriod']]),
    [
      ['a', '2026-10'],
      ['b', '2026-10'],
      ['c', '2026-10'],
    ],
  );
});

test.run();
