import { type Kysely, type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import { type Affiliate, type Click, type Program, defaultProgram } from './attribute.ts';

type Reader = Kysely<Database> | Transaction<Database>;

export async function readProgram(db: Reader, merchantId: string): Promise<Program> {
  const row = await db
    .selectFrom('affiliate_programs')
    .select(['window_days as windowDays', 'rule'])
    .where('merchant_id', '=', merchantId)
    .executeTakeFirst();
  return row ?? defaultProgram;
}

export async function readActiveAffiliates(
  db: Reader,
  merchantId: string,
  affiliateIds: readonly string[],
): Promise<ReadonlyMap<string, Affiliate>> {
  if (affiliateIds.length === 0) return new Map();
  const rows = await db
    .selectFrom('affiliates')
    .select([
      'affiliate_id as affiliateId',
      'name',
      'commission_ppm as commissionPpm',
      'customer_subject as customerSubject',
      'customer_ref as customerRef',
    ])
    .where('merchant_id', '=', merchantId)
    .where('affiliate_id', 'in', affiliateIds)
    .where('state', '=', 'active')
    .execute();
  return new Map(rows.map((row) => [row.affiliateId, row]));
}

export async function readClicks(db: Reader, merchantId: string, clickIds: readonly string[]): Promise<Click[]> {
  if (clickIds.length === 0) return [];
  const rows = await db
    .selectFrom('affiliate_clicks')
    .select(['affiliate_id as affiliateId', 'clicked_at as clickedAt'])
    .where('merchant_id', '=', merchantId)
    .where('click_id', 'in', clickIds)
    .execute();
  return rows.map(({ affiliateId, clickedAt }) => ({ affiliateId, clickedAtMs: clickedAt.getTime() }));
}

/** An order with what was refunded and what was taken back for it by now; undefined when it is not known. */
export async function readOrder(
  trx: Transaction<Database>,
  merchantId: string,
  orderId: string,
): Promise<
  | {
      affiliateId: string | null;
      amountMinor: number;
      currency: string;
      commissionMinor: number;
      refundedMinor: number;
      clawedBackMinor: number;
    }
  | undefined
> {
  const ofOrder = sql`merchant_id = ${merchantId} and order_id = ${orderId}`;
  const { rows } = await sql<{
    affiliateId: string | null;
    amountMinor: number;
    currency: string;
    commissionMinor: number;
    refundedMinor: number;
    clawedBackMinor: number;
  }>`
    select affiliate_id as "affiliateId", amount_minor as "amountMinor", currency, commission_minor as "commissionMinor",
      (select coalesce(sum(amount_minor), 0)::bigint from affiliate_refunds where ${ofOrder}) as "refundedMinor",
      (select coalesce(sum(amount_minor), 0)::bigint from affiliate_transfers
        where ${ofOrder} and kind = 'clawback') as "clawedBackMinor"
    from affiliate_conversions where ${ofOrder}
  `.execute(trx);
  return rows[0];
}

export interface AffiliateBalance {
  affiliateId: string;
  currency: string;
  commissionMinor: number;
  clawbackMinor: number;
  paidOutMinor: number;
  /** What the affiliate is owed; negative when it owes. */
  balanceMinor: number;
}

/** What each affiliate of a merchant earned, by currency, as the ledger has it. */
export async function readBalances(db: Reader, merchantId: string, affiliateId?: string): Promise<AffiliateBalance[]> {
  const { rows } = await sql<Omit<AffiliateBalance, 'balanceMinor'>>`
    select affiliate_id as "affiliateId", currency,
      coalesce(sum(amount_minor) filter (where kind = 'commission'), 0)::bigint as "commissionMinor",
      coalesce(sum(amount_minor) filter (where kind = 'clawback'), 0)::bigint as "clawbackMinor",
      coalesce(sum(amount_minor) filter (where kind = 'payout'), 0)::bigint as "paidOutMinor"
    from affiliate_transfers
    where merchant_id = ${merchantId} and ${affiliateId === undefined ? sql`true` : sql`affiliate_id = ${affiliateId}`}
    group by affiliate_id, currency order by affiliate_id, currency
  `.execute(db);
  return rows.map((row) => ({ ...row, balanceMinor: row.commissionMinor - row.clawbackMinor - row.paidOutMinor }));
}

export interface AffiliateStatement {
  affiliateId: string;
  period: string;
  currency: string;
  commissionMinor: number;
  clawbackMinor: number;
  carriedMinor: number;
  payoutMinor: number;
  issuedAt: Date;
}

/** The last 120, newest first. */
export async function listStatements(
  db: Reader,
  merchantId: string,
  affiliateId: string,
): Promise<AffiliateStatement[]> {
  return await db
    .selectFrom('affiliate_statements')
    .select([
      'affiliate_id as affiliateId',
      'period',
      'currency',
      'commission_minor as commissionMinor',
      'clawback_minor as clawbackMinor',
      'carried_minor as carriedMinor',
      'payout_minor as payoutMinor',
      'issued_at as issuedAt',
    ])
    .where('merchant_id', '=', merchantId)
    .where('affiliate_id', '=', affiliateId)
    .orderBy('period', 'desc')
    .orderBy('currency')
    .limit(120)
    .execute();
}

/** Whose link a code is, and where it leads; undefined for one that is unknown or whose affiliate is paused. */
export async function findLink(
  db: Reader,
  code: string,
): Promise<{ merchantId: string; affiliateId: string; targetUrl: string } | undefined> {
  const { rows } = await sql<{ merchantId: string; affiliateId: string; targetUrl: string }>`
    select merchant_id as "merchantId", affiliate_id as "affiliateId", target_url as "targetUrl"
    from find_affiliate_link(${code})
  `.execute(db);
  return rows[0];
}
