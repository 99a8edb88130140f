import { type Affiliate, type Click, attribute, clawbackOf, commissionOf, isOwnOrder } from './attribute.ts';
import type { AffiliateConversion } from './events.ts';
import { readActiveAffiliates, readClicks, readOrder, readProgram } from './reads.ts';
import { addConversion, addRefund, addTransfer, flagBurst, flagSelfReferral } from './writes.ts';
import type { LanewayEvent } from '../../events/envelope.ts';
import { type HandlerContext, type Outcome, defineHandler, done, skip } from '../../events/handler.ts';

type Conversion = LanewayEvent<AffiliateConversion>;

/**
 * Finds the affiliate of an order and credits its commission, or takes back what a refund takes away. Both go to the same
 * end: what is in the ledger for the order is brought to what order and refunds come to, so that a refund may be known
 * first.
 */
export const attributeAffiliateConversion = defineHandler<AffiliateConversion>({
  async handle(event, context): Promise<Outcome> {
    const { payload } = event;
    switch (payload.conversionType) {
      case 'purchase':
        return await purchase(event, context);
      case 'refund': {
        const added = await addRefund(context.trx, event.merchantId, {
          orderId: payload.orderId,
          refundId: payload.refundId ?? event.eventId,
          amountMinor: payload.amountMinor,
          occurredAt: new Date(payload.timestamp),
        });
        const affiliate = await clawBack(event, context);
        if (!added) return skip('this refund is known');
        return affiliate === undefined ? skip('no affiliate was paid for this order') : done;
      }
      default:
        return payload.conversionType satisfies never;
    }
  },
});

async function purchase(event: Conversion, context: HandlerContext): Promise<Outcome> {
  const { merchantId, payload } = event;
  const { trx, now } = context;
  const orderedAt = new Date(payload.timestamp);
  const clicks = await clicksOf(event, context);
  const affiliates = await readActiveAffiliates(
    trx,
    merchantId,
    clicks.map(({ affiliateId }) => affiliateId),
  );
  const affiliate = attribute(clicks, affiliates, orderedAt.getTime(), await readProgram(trx, merchantId));
  const selfReferral =
    affiliate !== undefined && isOwnOrder(affiliate, { merchantId, customerRef: payload.customerRef }, context.keyring);
  const commissionMinor =
    affiliate === undefined || selfReferral ? 0 : commissionOf(payload.amountMinor, affiliate.commissionPpm);
  const added = await addConversion(trx, merchantId, {
    orderId: payload.orderId,
    affiliateId: affiliate?.affiliateId ?? null,
    status: affiliate === undefined ? 'unattributed' : selfReferral ? 'withheld' : 'attributed',
    reason: selfReferral ? 'the affiliate ordered for itself' : null,
    amountMinor: payload.amountMinor,
    currency: payload.currency,
    commissionMinor,
    occurredAt: orderedAt,
    eventId: event.eventId,
  });
  if (!added) return skip('this order is known');
  if (affiliate === undefined) return skip('no affiliate brought this order');
  if (selfReferral) {
    if (await flagSelfReferral(trx, merchantId, affiliate.affiliateId, payload.orderId, now))
      tellFlag(event, context, affiliate, 'an order of its own');
    return skip('the affiliate ordered for itself');
  }
  await addTransfer(trx, merchantId, {
    transferId: `commission:${payload.orderId}`,
    affiliateId: affiliate.affiliateId,
    kind: 'commission',
    amountMinor: commissionMinor,
    currency: payload.currency,
    orderId: payload.orderId,
    occurredAt: orderedAt,
    now,
  });
  if (await flagBurst(trx, merchantId, affiliate.affiliateId, orderedAt, now))
    tellFlag(event, context, affiliate, 'more orders within an hour than are likely');
  await clawBack(event, context);
  return done;
}

async function clicksOf(event: Conversion, { trx }: HandlerContext): Promise<Click[]> {
  const { clickIds = [], touchpoints = [] } = event.payload;
  const recorded = await readClicks(trx, event.merchantId, clickIds);
  return [
    ...recorded,
    ...touchpoints.map(({ affiliateId, clickedAt }) => ({ affiliateId, clickedAtMs: Date.parse(clickedAt) })),
  ];
}

/** Brings the ledger to what refunds take away by now. Undefined when nobody was paid for the order. */
async function clawBack(event: Conversion, { trx, now }: HandlerContext): Promise<string | undefined> {
  const order = await readOrder(trx, event.merchantId, event.payload.orderId);
  if (order?.affiliateId === undefined || order.affiliateId === null) return undefined;
  const target = clawbackOf(order.commissionMinor, order.amountMinor, order.refundedMinor);
  if (target > order.clawedBackMinor)
    await addTransfer(trx, event.merchantId, {
      // Named by what it brings the sum to: the same again is the same transfer.
      transferId: `clawback:${event.payload.orderId}:${target}`,
      affiliateId: order.affiliateId,
      kind: 'clawback',
      amountMinor: target - order.clawedBackMinor,
      currency: order.currency,
      orderId: event.payload.orderId,
      occurredAt: new Date(event.payload.timestamp),
      now,
    });
  return order.affiliateId;
}

function tellFlag(event: Conversion, context: HandlerContext, affiliate: Affiliate, reason: string): void {
  context.emit(event, {
    eventType: 'NotificationDispatchRequestedEvent',
    payload: {
      recipientId: 'owner',
      channel: 'in_app',
      templateId: 'affiliate-flagged',
      payloadForTemplate: { affiliateName: affiliate.name, reason },
      timestamp: event.payload.timestamp,
      idempotencyKey: `affiliate-flagged:${affiliate.affiliateId}:${event.payload.orderId}`,
    },
  });
}
