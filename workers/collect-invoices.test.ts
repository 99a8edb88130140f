import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { throughLane } from './testing/through-lane.ts';
import { movableClock, setUpEffects } from './testing/world-of-effects.ts';
import { createPaymentDriver } from '../core/contexts/billing/payment-driver.ts';
import { createPaymentProvider } from '../core/contexts/billing/payment-provider.ts';
import { runBillingCycle } from '../core/contexts/billing/run-billing-cycle.ts';
import { choosePlan, savePaymentMethod } from '../core/contexts/billing/writes.ts';
import { waitFor } from '../core/testing/wait-for.ts';

const DAY_MS = 86_400_000;

async function setUp(paymentMethod: string) {
  const s = await setUpEffects();
  const { world, merchantId } = s;
  const { db } = world.postgres;
  const { time, clock } = movableClock();
  const provider = createPaymentProvider({ baseUrl: world.networksUrl, token: 'test' });
  const driver = createPaymentDriver({ db, provider, clock });
  const actors = s.actors({ drivers: () => driver, clock });
  await db.transaction().execute(async (trx) => {
    await choosePlan(trx, merchantId, { planId: 'growth', fromDay: '2026-01-01' }, clock.now());
    // Several tests share the provider, which counts by means of payment.
    await savePaymentMethod(trx, merchantId, paymentMethod, clock.now());
  });
  const payload = { merchantId, billingPeriod: '2026-10', timestamp: '2026-11-01T00:00:00.000Z' };
  const handler = { module: runBillingCycle, name: 'runBillingCycle' };
  await throughLane(world, handler, { merchantId, eventType: 'BillingCycleEvent', payload, now: clock.now() });
  // The draft's hour was reckoned from a fixed time.
  await db
    .updateTable('intents')
    .set({ not_before: new Date(clock.now()) })
    .execute();
  const invoice = () => db.selectFrom('invoices').selectAll().executeTakeFirstOrThrow();
  return {
    ...s,
    time,
    invoice,
    reaches: (what: string, reached: (row: Awaited<ReturnType<typeof invoice>>) => boolean) =>
      waitFor(what, async () => {
        await actors.wake([{ merchantId, destination: 'payments' }]);
        const row = await invoice();
        return reached(row) ? row : undefined;
      }),
    async fail(kind: string) {
      const response = await fetch(`${world.networksUrl}/_control/message-faults`, {
        method: 'POST',
        body: JSON.stringify([{ service: 'payments', to: merchantId, kind, times: 1 }]),
      });
      assert.is(response.status, 201);
    },
    /** Has an attempt that was declined go through after all. */
    async settle(attempt: number) {
      const response = await fetch(`${world.networksUrl}/_control/payments/settle`, {
        method: 'POST',
        body: JSON.stringify({ reference: `${merchantId}/EUR-2026-10/${attempt}` }),
      });
      assert.is(response.status, 201);
    },
    payments: async () => {
      const rows = await db.selectFrom('invoice_payments').selectAll().orderBy('attempt').execute();
      return rows.map((row) => `${row.attempt} ${row.outcome} ${row.amount_minor} ${row.decline_code ?? '-'}`);
    },
    /** Works until nothing is due any more. */
    rests: () =>
      waitFor('nothing to be due', async () => {
        await actors.wake([{ merchantId, destination: 'payments' }]);
        const due = await sql`
          select from intents where state <> 'done'
            and (state <> 'pending' or coalesce(not_before, '-infinity') <= ${new Date(clock.now())}::timestamptz)
        `.execute(db);
        return due.rows.length === 0;
      }),
    async charges() {
      const found: { data: { status: string }[] }[] = [];
      for (let attempt = 1; attempt <= 5; attempt++) {
        const reference = encodeURIComponent(`${merchantId}/EUR-2026-10/${attempt}`);
        const answer = await fetch(`${world.networksUrl}/payments/v1/charges?reference=${reference}`, {
          headers: { authorization: 'Bearer test' },
        });
        found.push(JSON.parse(await answer.text()));
      }
      return found.flatMap(({ data }) => data.map(({ status }) => status)).join();
    },
    async told() {
      const rows = await db.selectFrom('outbox').select('body').orderBy('seq').execute();
      const payloads = rows.map(({ body }) => JSON.parse(String(body)).payload);
      return payloads.map(({ templateId, webhookType }) => templateId ?? webhookType).join();
    },
  };
}

test('an invoice is collected once it is final, and its owner is told', async () => {
  await using s = await setUp('pm_good');
  const paid = await s.reaches('paid', ({ status }) => status === 'paid');
  assert.equal([paid.total_minor, paid.payment_attempts], [4_900, 1]);
  assert.equal([await s.charges(), await s.told()], ['succeeded', 'invoice.paid,invoice-paid']);
});

test('a charge that went through without an answer is found, not made a second time', async () => {
  await using s = await setUp('pm_good');
  await s.fail('commit_then_drop');
  await s.reaches('paid', ({ status }) => status === 'paid');
  assert.is(await s.charges(), 'succeeded');
});

test('a provider that fails inside is asked again under the same key', async () => {
  await using s = await setUp('pm_good');
  await s.fail('internal');
  await s.reaches('paid', ({ status }) => status === 'paid');
  assert.is(await s.charges(), 'succeeded');
});

test('a declined card is tried again some days later, and each time its owner is told', async () => {
  await using s = await setUp(`pm_declines_twice_${crypto.randomUUID()}`);
  await s.reaches('the first decline', (row) => row.payment_attempts === 1);
  assert.equal([await s.charges(), await s.told()], ['failed', 'invoice.payment_failed,payment-failed']);
  s.time.aheadMs += 2 * DAY_MS + 1_000;
  await s.reaches('the second decline', (row) => row.payment_attempts === 2);
  s.time.aheadMs += 3 * DAY_MS + 1_000;
  const paid = await s.reaches('paid', ({ status }) => status === 'paid');
  assert.is(paid.payment_attempts, 3);
  assert.equal(
    [await s.charges(), await s.told()],
    [
      'failed,failed,succeeded',
      'invoice.payment_failed,payment-failed,invoice.payment_failed,payment-failed,invoice.paid,invoice-paid',
    ],
  );
});

test('after the last attempt, or at once for a stolen card, the invoice is given up', async () => {
  await using s = await setUp('pm_stolen');
  await s.reaches('the end', ({ status }) => status === 'uncollectible');
  assert.equal([await s.charges(), await s.told()], ['failed', 'invoice.payment_failed,invoice-uncollectible']);
  await using other = await setUp('pm_insufficient_funds');
  for (let attempt = 1; attempt <= 4; attempt++) {
    await other.reaches(`attempt ${attempt}`, (row) => row.payment_attempts === attempt);
    other.time.aheadMs += 6 * DAY_MS;
  }
  assert.is((await other.invoice()).status, 'uncollectible');
  const declined = 'invoice.payment_failed,payment-failed';
  assert.is(await other.told(), [declined, declined, declined, 'invoice.payment_failed,invoice-uncollectible'].join());
});

test('an invoice that was given up is paid when an attempt has gone through after all, and its owner is told once', async () => {
  await using s = await setUp('pm_stolen');
  await s.reaches('the end', ({ status }) => status === 'uncollectible');
  const givenUp = 'invoice.payment_failed,invoice-uncollectible';
  s.time.aheadMs += DAY_MS + 1_000;
  await s.rests();
  assert.equal([(await s.invoice()).status, await s.told()], ['uncollectible', givenUp]);
  await s.settle(1);
  s.time.aheadMs += 6 * DAY_MS + 1_000;
  const paid = await s.reaches('paid', ({ status }) => status === 'paid');
  assert.equal([paid.payment_attempts, paid.paid_at !== null], [1, true]);
  assert.equal(await s.payments(), ['1 succeeded 4900 -']);
  s.time.aheadMs += 60 * DAY_MS;
  await s.rests();
  assert.equal([await s.charges(), await s.told()], ['succeeded', `${givenUp},invoice.paid,invoice-paid`]);
});

test('an invoice that is never paid is looked at three times, and no more', async () => {
  await using s = await setUp('pm_stolen');
  await s.reaches('the end', ({ status }) => status === 'uncollectible');
  for (let day = 0; day < 90; day += 30) {
    s.time.aheadMs += 30 * DAY_MS;
    await s.rests();
  }
  const { db } = s.world.postgres;
  const intents = await db.selectFrom('intents').select(['object_key', 'state']).orderBy('object_key').execute();
  assert.equal(
    intents.map(({ object_key, state }) => `${object_key} ${state}`),
    ['EUR-2026-10/1 done', 'EUR-2026-10/look-1 done', 'EUR-2026-10/look-2 done', 'EUR-2026-10/look-3 done'],
  );
  assert.equal([(await s.invoice()).status, await s.charges()], ['uncollectible', 'failed']);
});

test('an attempt that has gone through after all spares its owner the next one', async () => {
  await using s = await setUp('pm_insufficient_funds');
  await s.reaches('the first decline', (row) => row.payment_attempts === 1);
  await s.settle(1);
  s.time.aheadMs += 2 * DAY_MS + 1_000;
  await s.reaches('paid', ({ status }) => status === 'paid');
  assert.equal([await s.charges(), await s.payments()], ['succeeded', ['1 succeeded 4900 -']]);
  assert.is(await s.told(), 'invoice.payment_failed,payment-failed,invoice.paid,invoice-paid');
});

test.run();
