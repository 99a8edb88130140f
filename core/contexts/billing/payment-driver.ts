import type { Kysely, Transaction } from 'kysely';
import { z } from 'zod';
import type { PaymentProvider } from './payment-provider.ts';
import { readInvoice } from './reads.ts';
import { finalizeInvoice, markUncollectible, recordPayment } from './writes.ts';
import { tellApps } from '../webhooks/events.ts';
import type { Database } from '../../database/tables.ts';
import type { DestinationDriver, EffectCall, EffectContext, EffectResult } from '../../events/destination.ts';
import type { Clock } from '../../runtime/clock.ts';
import { decimalOf } from '../../money/currency.ts';
import { LanewayError } from '../../runtime/errors.ts';

const desiredPayment = z.looseObject({ invoiceNumber: z.string(), attempt: z.int().min(1) });

const DAY_MS = 86_400_000;
/** Dunning: how long after a declined attempt the next one is made. After the last, the invoice is given up. */
export const NEXT_ATTEMPT_MS = [2 * DAY_MS, 3 * DAY_MS, 5 * DAY_MS];
/** Declines that no later attempt can change: a new means of payment is needed. */
const FINAL_DECLINES = new Set(['stolen_card', 'lost_card', 'pickup_card', 'invalid_account']);

type Payment = { settled: false; outcome: 'charged' | 'declined'; declineCode: string | null };

/**
 * Collects invoices, one call for each attempt. The provider knows idempotency keys and can be asked by reference, so an
 * attempt whose outcome is unknown is looked up and made again under the same key.
 */
export function createPaymentDriver(options: {
  db: Kysely<Database>;
  provider: PaymentProvider;
  clock: Clock;
}): DestinationDriver {
  const { db, provider, clock } = options;
  const referenceOf = (call: EffectCall): string => `${call.merchantId}/${call.objectKey}`;
  return {
    limits: () => ({ quota: [{ calls: 100, perMs: 1_000, burst: 25 }], concurrency: 4 }),

    async send(call, signal) {
      const { invoiceNumber } = desiredOf(call);
      const invoice = await db
        .transaction()
        .execute((trx) => finalizeInvoice(trx, call.merchantId, invoiceNumber, clock.now()));
      if (invoice?.status !== 'open') return { externalId: 'none', actual: { settled: true } };
      const paymentMethod = await paymentMethodOf(db, call.merchantId);
      // Without any there is nothing to call: it counts as declined, so that dunning begins.
      if (paymentMethod === null) return declined('none', 'no_payment_method');
      const charge = {
        amountMinor: invoice.totalMinor,
        currency: invoice.currency,
        paymentMethod,
        reference: referenceOf(call),
      };
      // Of the attempt and not of the call: also a call for a redriven intent must not charge a second time.
      const { providerId, declineCode } = await provider.charge(charge, referenceOf(call), signal);
      return declineCode === null ? charged(providerId) : declined(providerId, declineCode);
    },

    async probe(call, signal) {
      const found = await provider.find(referenceOf(call), signal);
      if (found === undefined) return undefined;
      return found.declineCode === null ? charged(found.providerId) : declined(found.providerId, found.declineCode);
    },

    // What is found is the outcome of this very attempt, whichever it is.
    satisfies: () => true,

    async recordSuccess(trx, call, result, _observed, context) {
      const { invoiceNumber, attempt } = desiredOf(call);
      if (result.actual['settled'] === true) return;
      const invoice = await readInvoice(trx, call.merchantId, invoiceNumber);
      if (invoice === undefined) return;
      const { declineCode } = paymentOf(result);
      const { totalMinor: amountMinor, currency } = invoice;
      const payment = { invoiceNumber, attempt, providerId: result.externalId, amountMinor, currency, declineCode };
      if (!(await recordPayment(trx, call.merchantId, payment, context.now))) return;
      const webhookType = declineCode === null ? 'invoice.paid' : 'invoice.payment_failed';
      context.emit(tellApps(webhookType, { invoiceNumber, attempt, declineCode }, new Date(context.now).toISOString()));
      const amount = `${decimalOf(amountMinor, currency)} ${currency}`;
      if (declineCode === null) return tell(context, 'invoice-paid', invoiceNumber, attempt, { invoiceNumber, amount });
      await dun(trx, call, { invoiceNumber, attempt, amount, declineCode }, context);
    },

    // The provider refuses the request itself, or was away for a day: nobody's card was declined, and an operator must look.
    recordFailure: () => Promise.resolve(),
  };
}

const charged = (externalId: string): EffectResult => ({
  externalId,
  actual: { settled: false, outcome: 'charged', declineCode: null } satisfies Payment,
});
const declined = (externalId: string, declineCode: string): EffectResult => ({
  externalId,
  actual: { settled: false, outcome: 'declined', declineCode } satisfies Payment,
});

const paymentOf = ({ actual }: EffectResult): { declineCode: string | null } => ({
  declineCode: typeof actual['declineCode'] === 'string' ? actual['declineCode'] : null,
});

function desiredOf(call: EffectCall): z.infer<typeof desiredPayment> {
  const found = desiredPayment.safeParse(call.desired);
  if (found.success) return found.data;
  throw new LanewayError('effect.rejected', 'the intent does not say what is to be paid', { cause: found.error });
}

async function paymentMethodOf(db: Kysely<Database>, merchantId: string): Promise<string | null> {
  const row = await db
    .selectFrom('billing_accounts')
    .select('payment_method')
    .where('merchant_id', '=', merchantId)
    .executeTakeFirst();
  return row?.payment_method ?? null;
}

/** What follows a decline: another attempt some days later, or the end, and a notification either way. */
async function dun(
  trx: Transaction<Database>,
  call: EffectCall,
  failed: { invoiceNumber: string; attempt: number; amount: string; declineCode: string },
  context: EffectContext,
): Promise<void> {
  const { invoiceNumber, attempt, amount, declineCode } = failed;
  const wait = FINAL_DECLINES.has(declineCode) ? undefined : NEXT_ATTEMPT_MS[attempt - 1];
  if (wait === undefined) {
    await markUncollectible(trx, call.merchantId, invoiceNumber, context.now);
    tell(context, 'invoice-uncollectible', invoiceNumber, attempt, { invoiceNumber, amount, attempts: attempt });
    return;
  }
  const next = context.now + wait;
  context.intend({
    objectKey: `${invoiceNumber}/${attempt + 1}`,
    desired: { invoiceNumber, attempt: attempt + 1 },
    notBeforeMs: next,
  });
  const nextAttempt = new Date(next).toISOString().slice(0, 10);
  tell(context, 'payment-failed', invoiceNumber, attempt, { invoiceNumber, amount, nextAttempt });
}

function tell(
  context: EffectContext,
  templateId: string,
  invoiceNumber: string,
  attempt: number,
  payloadForTemplate: Record<string, unknown>,
): void {
  context.emit({
    eventType: 'NotificationDispatchRequestedEvent',
    payload: {
      recipientId: 'owner',
      channel: 'email',
      templateId,
      payloadForTemplate,
      timestamp: new Date(context.now).toISOString(),
      priority: templateId === 'invoice-paid' ? 'medium' : 'high',
      idempotencyKey: `${templateId}:${invoiceNumber}:${attempt}`,
    },
  });
}
