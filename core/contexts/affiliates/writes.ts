import { type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import type { Keyring } from '../../people/keyring.ts';
import type { AffiliatesTables, AttributionRule } from './tables.ts';

export async function saveProgram(
  trx: Transaction<Database>,
  merchantId: string,
  program: { windowDays: number; rule: AttributionRule },
  nowMs: number,
): Promise<void> {
  const row = { window_days: program.windowDays, rule: program.rule, updated_at: new Date(nowMs) };
  await trx
    .insertInto('affiliate_programs')
    .values({ merchant_id: merchantId, ...row })
    .onConflict((conflict) => conflict.column('merchant_id').doUpdateSet(row))
    .execute();
}

/** Of the customer that it is a keyed hash is kept, by which its own orders are told. */
export async function saveAffiliate(
  trx: Transaction<Database>,
  keyring: Keyring,
  merchantId: string,
  affiliate: {
    affiliateId: string;
    name: string;
    commissionPpm: number;
    customerRef: string | null;
    state: 'active' | 'paused';
  },
  nowMs: number,
): Promise<void> {
  const { affiliateId, name, state, customerRef } = affiliate;
  const row = {
    name,
    state,
    commission_ppm: affiliate.commissionPpm,
    customer_subject: customerRef === null ? null : keyring.pseudonym(merchantId, customerRef),
    customer_ref: null,
    updated_at: new Date(nowMs),
  };
  await trx
    .insertInto('affiliates')
    .values({ merchant_id: merchantId, affiliate_id: affiliateId, ...row })
    .onConflict((conflict) => conflict.columns(['merchant_id', 'affiliate_id']).doUpdateSet(row))
    .execute();
}

/** Takes a customer's name out of affiliates that an earlier release saved; what tells their own orders stays. */
export async function forgetCustomer(
  trx: Transaction<Database>,
  keyring: Keyring,
  merchantId: string,
  customerRef: string,
): Promise<void> {
  await trx
    .updateTable('affiliates')
    .set({ customer_subject: keyring.pseudonym(merchantId, customerRef), customer_ref: null })
    .where('merchant_id', '=', merchantId)
    .where('customer_ref', '=', customerRef)
    .execute();
}

const isNew = ({ numInsertedOrUpdatedRows }: { numInsertedOrUpdatedRows?: bigint | undefined }): boolean =>
  (numInsertedOrUpdatedRows ?? 0n) > 0n;

/** False when the order is known already: the first event about it counts. */
export async function addConversion(
  trx: Transaction<Database>,
  merchantId: string,
  conversion: {
    orderId: string;
    affiliateId: string | null;
    status: AffiliatesTables['affiliate_conversions']['status'];
    reason: string | null;
    amountMinor: number;
    currency: string;
    commissionMinor: number;
    occurredAt: Date;
    eventId: string;
  },
): Promise<boolean> {
  return isNew(
    await trx
      .insertInto('affiliate_conversions')
      .values({
        merchant_id: merchantId,
        order_id: conversion.orderId,
        affiliate_id: conversion.affiliateId,
        status: conversion.status,
        reason: conversion.reason,
        amount_minor: conversion.amountMinor,
        currency: conversion.currency,
        commission_minor: conversion.commissionMinor,
        occurred_at: conversion.occurredAt,
        event_id: conversion.eventId,
      })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirstOrThrow(),
  );
}

/** False when the refund is known already. */
export async function addRefund(
  trx: Transaction<Database>,
  merchantId: string,
  refund: { orderId: string; refundId: string; amountMinor: number; occurredAt: Date },
): Promise<boolean> {
  return isNew(
    await trx
      .insertInto('affiliate_refunds')
      .values({
        merchant_id: merchantId,
        order_id: refund.orderId,
        refund_id: refund.refundId,
        amount_minor: refund.amountMinor,
        occurred_at: refund.occurredAt,
      })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirstOrThrow(),
  );
}

const payable = (affiliateId: string): string => `payable:${affiliateId}`;

const accountsOf = (
  kind: 'commission' | 'clawback' | 'payout',
  affiliateId: string,
): { debit_account: string; credit_account: string } => {
  switch (kind) {
    case 'commission':
      return { debit_account: 'commission-expense', credit_account: payable(affiliateId) };
    case 'clawback':
      return { debit_account: payable(affiliateId), credit_account: 'commission-expense' };
    case 'payout':
      return { debit_account: payable(affiliateId), credit_account: 'cash' };
    default:
      return kind satisfies never;
  }
};

/** Moves an amount once, however often it is asked for under one id. Nothing is moved for an amount of zero. */
export async function addTransfer(
  trx: Transaction<Database>,
  merchantId: string,
  transfer: {
    transferId: string;
    affiliateId: string;
    kind: 'commission' | 'clawback' | 'payout';
    amountMinor: number;
    currency: string;
    orderId: string | null;
    occurredAt: Date;
    now: number;
  },
): Promise<void> {
  if (transfer.amountMinor === 0) return;
  await trx
    .insertInto('affiliate_transfers')
    .values({
      merchant_id: merchantId,
      transfer_id: transfer.transferId,
      affiliate_id: transfer.affiliateId,
      kind: transfer.kind,
      ...accountsOf(transfer.kind, transfer.affiliateId),
      amount_minor: transfer.amountMinor,
      currency: transfer.currency,
      order_id: transfer.orderId,
      occurred_at: transfer.occurredAt,
      recorded_at: new Date(transfer.now),
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** True when it is flagged for the first time. */
export async function flagSelfReferral(
  trx: Transaction<Database>,
  merchantId: string,
  affiliateId: string,
  orderId: string,
  now: number,
): Promise<boolean> {
  return await flag(trx, { merchantId, affiliateId, kind: 'self_referral', subject: orderId }, now);
}

/** More orders of one affiliate within a clock hour are not likely to be honest. */
const BURST_ORDERS = 50;
const HOUR_MS = 3_600_000;

/** Flags the hour of an order when it has more than it should. A flag takes nothing away: a person decides. */
export async function flagBurst(
  trx: Transaction<Database>,
  merchantId: string,
  affiliateId: string,
  orderedAt: Date,
  now: number,
): Promise<boolean> {
  const hour = new Date(Math.floor(orderedAt.getTime() / HOUR_MS) * HOUR_MS);
  const { rows } = await sql<{ orders: number }>`
    select count(*) as orders from affiliate_conversions where merchant_id = ${merchantId}
      and affiliate_id = ${affiliateId} and occurred_at >= ${hour}::timestamptz
      and occurred_at < ${new Date(hour.getTime() + HOUR_MS)}::timestamptz
  `.execute(trx);
  if ((rows[0]?.orders ?? 0) <= BURST_ORDERS) return false;
  return await flag(trx, { merchantId, affiliateId, kind: 'conversion_burst', subject: hour.toISOString() }, now);
}

async function flag(
  trx: Transaction<Database>,
  {
    merchantId,
    ...about
  }: { merchantId: string; affiliateId: string; kind: AffiliatesTables['affiliate_flags']['kind']; subject: string },
  now: number,
): Promise<boolean> {
  return isNew(
    await trx
      .insertInto('affiliate_flags')
      .values({
        merchant_id: merchantId,
        affiliate_id: about.affiliateId,
        kind: about.kind,
        subject: about.subject,
        flagged_at: new Date(now),
      })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirstOrThrow(),
  );
}

/** False when there is no such affiliate. */
export async function addLink(
  trx: Transaction<Database>,
  merchantId: string,
  link: { code: string; affiliateId: string; targetUrl: string },
  nowMs: number,
): Promise<boolean> {
  const known = await trx
    .selectFrom('affiliates')
    .select('affiliate_id')
    .where('merchant_id', '=', merchantId)
    .where('affiliate_id', '=', link.affiliateId)
    .executeTakeFirst();
  if (known === undefined) return false;
  await trx
    .insertInto('affiliate_links')
    .values({
      code: link.code,
      merchant_id: merchantId,
      affiliate_id: link.affiliateId,
      target_url: link.targetUrl,
      created_at: new Date(nowMs),
    })
    .execute();
  return true;
}

export async function addClick(
  trx: Transaction<Database>,
  merchantId: string,
  click: { clickId: string; code: string; affiliateId: string; visitorHash: string },
  nowMs: number,
): Promise<void> {
  await trx
    .insertInto('affiliate_clicks')
    .values({
      merchant_id: merchantId,
      click_id: click.clickId,
      code: click.code,
      affiliate_id: click.affiliateId,
      clicked_at: new Date(nowMs),
      visitor_hash: click.visitorHash,
    })
    .execute();
}
