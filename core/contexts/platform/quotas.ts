import { type Kysely, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import { type Requester, recordAction } from '../../operations/record-action.ts';

export const quotaResources = ['campaigns', 'audience_segments', 'webhook_endpoints'] as const;
export type QuotaResource = (typeof quotaResources)[number];
export type Quotas = Readonly<Record<QuotaResource, number>>;

/** What each plan includes: bounds that keep one merchant from being a load to all others, no price list. */
const quotasOfPlans: Readonly<Record<string, Quotas>> = {
  starter: { campaigns: 1_000, audience_segments: 100, webhook_endpoints: 20 },
  growth: { campaigns: 5_000, audience_segments: 500, webhook_endpoints: 50 },
  scale: { campaigns: 20_000, audience_segments: 2_000, webhook_endpoints: 100 },
};

export const quotasOfPlan = (planId: string): Quotas | undefined => quotasOfPlans[planId];

/** Sets a merchant apart from its plan, or, with null, back to it. Recorded with who and why. */
export async function setQuota(
  db: Kysely<Database>,
  change: { merchantId: string; resource: QuotaResource; most: number | null; requester: Requester },
  nowMs: number,
): Promise<void> {
  const { merchantId, resource, most, requester } = change;
  await db.transaction().execute(async (trx) => {
    // One after the other, so that what is recorded as before was there before.
    await sql`select pg_advisory_xact_lock(hashtext(${`quota:${merchantId}:${resource}`}))`.execute(trx);
    const before = await trx
      .selectFrom('merchant_quotas')
      .select('most')
      .where('merchant_id', '=', merchantId)
      .where('resource', '=', resource)
      .executeTakeFirst();
    if (most === null)
      await trx
        .deleteFrom('merchant_quotas')
        .where('merchant_id', '=', merchantId)
        .where('resource', '=', resource)
        .execute();
    else {
      const row = { most, set_by: requester.by, updated_at: new Date(nowMs) };
      await trx
        .insertInto('merchant_quotas')
        .values({ merchant_id: merchantId, resource, ...row })
        .onConflict((conflict) => conflict.columns(['merchant_id', 'resource']).doUpdateSet(row))
        .execute();
    }
    const audited = { before: { resource, most: before?.most ?? null }, after: { resource, most } };
    await recordAction(trx, { action: 'quota.set', merchantId, requester, ...audited }, nowMs);
  });
}
