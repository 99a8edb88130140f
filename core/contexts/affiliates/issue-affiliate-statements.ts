import { sql } from 'kysely';
import { addTransfer } from './writes.ts';
import type { BillingCycle } from '../billing/events.ts';
import { type HandlerContext, type Outcome, defineHandler, done, skip } from '../../events/handler.ts';

interface Owed {
  affiliateId: string;
  currency: string;
  commissionMinor: number;
  clawbackMinor: number;
  /** Everything up to the end of the period, payouts included. */
  balanceMinor: number;
}

/**
 * Says at the end of a month what each affiliate earned, and pays out what it is owed. Who owes more than it earned is paid
 * nothing, and carries that into the next month. Once for each affiliate, period and currency.
 */
export const issueAffiliateStatements = defineHandler<BillingCycle>({
  async handle(event, context): Promise<Outcome> {
    const { merchantId, payload } = event;
    const period = payload.billingPeriod;
    const owed = await readOwed(context, merchantId, period);
    if (owed.length === 0) return skip('no affiliate earned anything');
    const issuedAt = new Date(payload.timestamp);
    let issued = 0;
    for (const each of owed) {
      const payoutMinor = Math.max(0, each.balanceMinor);
      const { numInsertedOrUpdatedRows } = await context.trx
        .insertInto('affiliate_statements')
        .values({
          merchant_id: merchantId,
          affiliate_id: each.affiliateId,
          period,
          currency: each.currency,
          commission_minor: each.commissionMinor,
          clawback_minor: each.clawbackMinor,
          carried_minor: each.balanceMinor - each.commissionMinor + each.clawbackMinor,
          payout_minor: payoutMinor,
          issued_at: issuedAt,
        })
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirstOrThrow();
      if (numInsertedOrUpdatedRows === 0n) continue;
      issued += 1;
      await addTransfer(context.trx, merchantId, {
        transferId: `payout:${each.affiliateId}:${period}:${each.currency}`,
        affiliateId: each.affiliateId,
        kind: 'payout',
        amountMinor: payoutMinor,
        currency: each.currency,
        orderId: null,
        occurredAt: new Date(`${period}-01T00:00:00.000Z`),
        now: context.now,
      });
    }
    return issued === 0 ? skip('the statements of this period are issued') : done;
  },
});

async function readOwed({ trx }: HandlerContext, merchantId: string, period: string): Promise<Owed[]> {
  const from = sql`(${`${period}-01`}::date at time zone 'utc')`;
  const to = sql`((${`${period}-01`}::date + interval '1 month') at time zone 'utc')`;
  const { rows } = await sql<Owed>`
    select affiliate_id as "affiliateId", currency,
      coalesce(sum(amount_minor) filter (where kind = 'commission' and occurred_at >= ${from}), 0)::bigint as "commissionMinor",
      coalesce(sum(amount_minor) filter (where kind = 'clawback' and occurred_at >= ${from}), 0)::bigint as "clawbackMinor",
      sum(case when kind = 'commission' then amount_minor else -amount_minor end)::bigint as "balanceMinor"
    from affiliate_transfers where merchant_id = ${merchantId} and occurred_at < ${to}
    group by affiliate_id, currency order by affiliate_id, currency
  `.execute(trx);
  return rows;
}
