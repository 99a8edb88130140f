import { type Kysely, type Transaction, sql } from 'kysely';
import { DAY_MS } from '../../runtime/clock.ts';
import type { EndedBy, OfferState } from './tables.ts';
import type { Discount } from './discount.ts';
import type { Eligibility } from './eligibility.ts';
import type { Database } from '../../database/tables.ts';

export interface Offer {
  offerId: string;
  name: string;
  state: OfferState;
  discount: Discount;
  eligibility: Eligibility;
  stacking: 'exclusive' | 'stackable';
  priority: number;
  startsAt: Date;
  endsAt: Date | null;
  currency: string;
  budgetMinor: number | null;
  spentMinor: number;
  campaignIds: string[];
  endedBy: EndedBy | null;
  createdAt: Date;
  updatedAt: Date;
}

const offerColumns = [
  'offer_id as offerId',
  'name',
  'state',
  'discount',
  'eligibility',
  'stacking',
  'priority',
  'starts_at as startsAt',
  'ends_at as endsAt',
  'currency',
  'budget_minor as budgetMinor',
  'spent_minor as spentMinor',
  'campaign_ids as campaignIds',
  'ended_by as endedBy',
  'created_at as createdAt',
  'updated_at as updatedAt',
] as const;

/** A page of a merchant's offers by id; `next` is the `after` of the following page, undefined on the last. */
export async function listOffers(
  trx: Transaction<Database>,
  merchantId: string,
  { after = '', limit }: { after?: string; limit: number },
): Promise<{ items: Offer[]; next: string | undefined }> {
  const rows = await trx
    .selectFrom('offers')
    .select(offerColumns)
    .where('merchant_id', '=', merchantId)
    .where('offer_id', '>', after)
    .orderBy('offer_id')
    .limit(limit + 1)
    .execute();
  const items = rows.slice(0, limit);
  return { items, next: rows.length > limit ? items.at(-1)?.offerId : undefined };
}

export async function getOffer(
  trx: Transaction<Database>,
  merchantId: string,
  offerId: string,
): Promise<Offer | undefined> {
  return await trx
    .selectFrom('offers')
    .select(offerColumns)
    .where('merchant_id', '=', merchantId)
    .where('offer_id', '=', offerId)
    .executeTakeFirst();
}

/** More would make every price of a feed slow to find; `offers.too_many` keeps merchants under it. */
export const MAX_OPEN_OFFERS = 200;

/** Offers that hold at an instant, or will, as far as time and budget say; those that come next are `scheduled`. */
export async function readOpenOffers(db: Kysely<Database>, merchantId: string, nowMs: number): Promise<Offer[]> {
  const now = new Date(nowMs);
  return await db
    .selectFrom('offers')
    .select(offerColumns)
    .where('merchant_id', '=', merchantId)
    .where('state', 'in', ['scheduled', 'running'])
    .where((where) => where.or([where('ends_at', 'is', null), where('ends_at', '>', now)]))
    .where((where) =>
      where.or([where('budget_minor', 'is', null), where('spent_minor', '<', where.ref('budget_minor'))]),
    )
    .orderBy('offer_id')
    .limit(MAX_OPEN_OFFERS)
    .execute();
}

/** By merchant; 0 for one that never had an offer. */
export async function readSalesVersions(
  db: Kysely<Database>,
  merchantIds: readonly string[],
): Promise<Map<string, number>> {
  if (merchantIds.length === 0) return new Map();
  const rows = await db.selectFrom('sales_versions').selectAll().where('merchant_id', 'in', merchantIds).execute();
  return new Map(rows.map(({ merchant_id, version }) => [merchant_id, version]));
}

export interface CampaignOffers {
  merchantId: string;
  campaignId: string;
  /** Differs from what it was before whenever one of the campaign's offers has started or ended. */
  turns: number;
  /** Whether one of them runs. */
  running: boolean;
}

/** For how long whoever follows offers may be away. */
const FOLLOWED_DAYS = 7;

/** Campaigns of which an offer has started or ended lately, for the merchants of a page, in their order. */
export async function readTurnedCampaigns(
  trx: Transaction<Database>,
  { after, limit, nowMs }: { after: string; limit: number; nowMs: number },
): Promise<{ campaigns: CampaignOffers[]; next: string | undefined }> {
  const { rows } = await sql<CampaignOffers>`
    with page as (
      select distinct merchant_id from offers
      where turned_at > ${new Date(nowMs - FOLLOWED_DAYS * DAY_MS)} and campaign_ids <> '{}' and merchant_id > ${after}
      order by merchant_id limit ${limit}
    )
    select o.merchant_id as "merchantId", campaign_id as "campaignId", sum(o.turns)::bigint as turns,
      bool_or(o.state = 'running') as running
    from page join offers o using (merchant_id) cross join unnest(o.campaign_ids) as campaign_id
    group by o.merchant_id, campaign_id order by o.merchant_id, campaign_id collate "C"
  `.execute(trx);
  const merchants = new Set(rows.map(({ merchantId }) => merchantId));
  return { campaigns: rows, next: merchants.size < limit ? undefined : rows.at(-1)?.merchantId };
}
