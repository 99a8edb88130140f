import type { Kysely, Transaction } from 'kysely';
import { z } from 'zod';
import type { PaymentProvider } from './payment-provider.ts';
import { readInvoice } from './reads.ts';
import { finalizeInvoice, markUncollectible, recordPayment } from './writes.ts';
import { tellApps } from '../webhooks/events.ts';
import type { Database } from '../../database/tables.ts';
import type { DestinationDriver, EffectCall, EffectContext, EffectResult } from '../../events/destination.ts';
import { type Clock, DAY_MS, dayOf } from '../../runtime/clock.ts';
import { decimalOf } from '../../money/currency.ts';
import { LanewayError } from '../../runtime/errors.ts';

const desiredPayment = z.looseObject({
  invoiceNumber: z.string(),
  attempt: z.int().min(1),
  /** No attempt, but a look whether one up to this has gone through after all. Numbers the looks. */
  look: z.int().min(1).optional(),
});

/** Dunning: how long after a declined attempt the next one is made. After the last, the invoice is given up. */
export const NEXT_ATTEMPT_MS = [2 * DAY_MS, 3 * DAY_MS, 5 * DAY_MS];
/** When it is looked whether an invoice that was given up was paid after all; each after the look before it. */
export const NEXT_LOOK_MS = [DAY_MS, 6 * DAY_MS, 23 * DAY_MS];
/** Declines that no later attempt can change: a new means of payment is needed. */
const FINAL_DECLINES = new Set(['stolen_card', 'lost_card', 'pickup_card', 'invalid_account']);

type Payment = { settled: false; attempt: number; outcome: 'charged' | 'declined'; declineCode: string | null };

/**
 * Collects invoices, one call for each attempt. The provider knows idempotency keys and can be asked by reference, so an
 * attempt whose outcome is unknown is looked up and made again under the same key. A decline need not be the last word: before
 * another attempt, and for a month after an invoice was given up, it is looked whether an earlier one has gone through.
 */
export function createPaymentDriver(options: {
  db: Kysely<Database>;
  provider: PaymentProvider;
  clock: Clock;
}): DestinationDriver {
  const { db, provider, clock } = options;
  const referenceOf = (
    { merchantId }: EffectCall,
    { invoiceNumber, attempt }: { invoiceNumber: string; attempt: number },
  ) => `${merchantId}/${invoiceNumber}/${attempt}`;

  /** The first attempt, up to one, that the provider says has succeeded. */
  const findPaid = async (call: EffectCall, invoiceNumber: string, upTo: number, signal: AbortSignal) => {
    for (let attempt = 1; attempt <= upTo; attempt++) {
      const found = await provider.find(referenceOf(call, { invoiceNumber, attempt }), signal);
      if (found?.declineCode === null) return charged(attempt, found.providerId);
    }
    return undefined;
  };
  return {
    limits: () => ({ quota: [{ calls: 100, perMs: 1_000, burst: 25 }], concurrency: 4 }),

    async send(call, signal) {
      const { invoiceNumber, attempt, look } = desiredOf(call);
      const invoice = await db
        .transaction()
        .execute((trx) => finalizeInvoice(trx, call.merchantId, invoiceNumber, clock.now()));
      const settled = { externalId: 'none', actual: { settled: true } };
      if (look !== undefined)
        return invoice?.status === 'paid'
          ? settled
          : ((await findPaid(call, invoiceNumber, attempt, signal)) ?? {
              externalId: 'none',
              actual: { unpaid: true },
            });
      if (invoice?.status !== 'open') return settled;
      const late = await findPaid(call, invoiceNumber, attempt - 1, signal);
      if (late !== undefined) return late;
      const paymentMethod = await paymentMethodOf(db, call.merchantId);
      // Without any there is nothing to call: it counts as declined, so that dunning begins.
      if (paymentMethod === null) return declined(attempt, 'none', 'no_payment_method');
      const charge = {
        amountMinor: invoice.totalMinor,
        currency: invoice.currency,
        paymentMethod,
        reference: referenceOf(call, { invoiceNumber, attempt }),
      };
      // Of the attempt and not of the call: also a call for a redriven intent must not charge a second time.
      const { providerId, declineCode } = await provider.charge(charge, charge.reference, signal);
      return declineCode === null ? charged(attempt, providerId) : declined(attempt, providerId, declineCode);
    },

    async probe(call, signal) {
      const desired = desiredOf(call);
      // A look has left nothing behind that could be found.
      if (desired.look !== undefined) return undefined;
      const found = await provider.find(referenceOf(call, desired), signal);
      if (found === undefined) return undefined;
      const { providerId, declineCode } = found;
      return declineCode === null
        ? charged(desired.attempt, providerId)
        : declined(desired.attempt, providerId, declineCode);
    },

    // What is found is the outcome of this very attempt, whichever it is.
    satisfies: () => true,

    async recordSuccess(trx, call, result, _observed, context) {
      const { invoiceNumber, attempt: tried, look } = desiredOf(call);
      if (result.actual['settled'] === true) return;
      if (result.actual['unpaid'] === true)
        return lookAgain(context, { invoiceNumber, attempt: tried, look: (look ?? 0) + 1 });
      const invoice = await readInvoice(trx, call.merchantId, invoiceNumber);
      if (invoice === undefined) return;
      const { attempt = tried, declineCode } = paymentOf(result);
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

const charged = (attempt: number, externalId: string): EffectResult => ({
  externalId,
  actual: { settled: false, attempt, outcome: 'charged', declineCode: null } satisfies Payment,
});
const declined = (attempt: number, externalId: string, declineCode: string): EffectResult => ({
  externalId,
  actual: { settled: false, attempt, outcome: 'declined', declineCode } satisfies Payment,
});

/** Without an attempt where an earlier release made the call: it was the one that was asked for. */
const paymentOf = ({ actual }: EffectResult): { attempt: number | undefined; declineCode: string | null } => ({
  attempt: typeof actual['attempt'] === 'number' ? actual['attempt'] : undefined,
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

/** Intends the next look at an invoice that was given up, if there is to be one. */
function lookAgain(
  context: EffectContext,
  { invoiceNumber, attempt, look }: { invoiceNumber: string; attempt: number; look: number },
): void {
  const wait = NEXT_LOOK_MS[look - 1];
  if (wait === undefined) return;
  context.intend({
    objectKey: `${invoiceNumber}/look-${look}`,
    desired: { invoiceNumber, attempt, look },
    notBeforeMs: context.now + wait,
  });
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
    lookAgain(context, { invoiceNumber, attempt, look: 1 });
    return;
  }
  const next = context.now + wait;
  context.intend({
    objectKey: `${invoiceNumber}/${attempt + 1}`,
    desired: { invoiceNumber, attempt: attempt + 1 },
    notBeforeMs: next,
  });
  const nextAttempt = dayOf(next);
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
