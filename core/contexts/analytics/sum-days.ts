import { type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';

/**
 * Sums by campaign and day, made again from their rows in the transaction that changed one of these: the work follows what
 * changed, and a sum can never be off by an event that came twice. A merchant's lane is worked by one owner at a time, so
 * that two recomputations of one key do not meet. Rows are locked by key in byte order. What reports read of longer times
 * follows by triggers, which add the differences that these statements make (`migrations/0048-report-rollups.ts`).
 */
export interface CampaignDay {
  merchantId: string;
  day: string;
  adNetworkId: string;
  /** Empty for what belongs to no campaign. */
  campaignId: string;
}

const distinct = (keys: readonly CampaignDay[]): CampaignDay[] => [
  ...new Map(
    keys.map((key) => [JSON.stringify([key.merchantId, key.day, key.adNetworkId, key.campaignId]), key]),
  ).values(),
];

const dirtyKeys = (keys: readonly CampaignDay[]) => sql`
  unnest(${keys.map((k) => k.merchantId)}::text[], ${keys.map((k) => k.day)}::date[],
    ${keys.map((k) => k.adNetworkId)}::text[], ${keys.map((k) => k.campaignId)}::text[])
    as dirty (merchant_id, day, ad_network_id, campaign_id)`;

/** Deletes the sums of these days that `fresh`, which the statement has, does not hold any more. */
const deleteGone = (table: 'order_days' | 'ad_days', keys: readonly CampaignDay[]) => sql`
  delete from ${sql.table(table)} d using ${dirtyKeys(keys)}
  where d.merchant_id = dirty.merchant_id and d.day = dirty.day and d.ad_network_id = dirty.ad_network_id
    and d.campaign_id = dirty.campaign_id
    and not exists (select from fresh f where f.merchant_id = d.merchant_id and f.day = d.day
      and f.ad_network_id = d.ad_network_id and f.campaign_id = d.campaign_id and f.currency = d.currency)
`;

export async function sumOrders(trx: Transaction<Database>, changed: readonly CampaignDay[]): Promise<void> {
  const keys = distinct(changed);
  if (keys.length === 0) return;
  await sql`
    with fresh as (
      select o.merchant_id, o.order_day as day, o.ad_network_id, o.campaign_id, o.currency,
        count(*) filter (where o.counts) as orders, sum(o.revenue_minor)::bigint as revenue_minor,
        max(o.source_at) as as_of
      from ${dirtyKeys(keys)} join attributed_orders o on o.merchant_id = dirty.merchant_id and o.order_day = dirty.day
        and o.ad_network_id = dirty.ad_network_id and o.campaign_id = dirty.campaign_id
      group by 1, 2, 3, 4, 5
    ), gone as (
      ${deleteGone('order_days', keys)}
    )
    insert into order_days (merchant_id, day, ad_network_id, campaign_id, currency, orders, revenue_minor, as_of)
    select * from fresh
    order by merchant_id collate "C", day, ad_network_id collate "C", campaign_id collate "C", currency collate "C"
    on conflict (merchant_id, day, ad_network_id, campaign_id, currency) do update set
      orders = excluded.orders, revenue_minor = excluded.revenue_minor, as_of = excluded.as_of
  `.execute(trx);
}

/**
 * Networks report a campaign's day as a whole, by ad set or by ad, and sometimes all three. What they say of the whole
 * stands for its parts: adding both would count twice. What they say of the account as a whole stands for nothing finer, so
 * that it gives way to parts that belong to no campaign, here, and to campaigns, where sums are read.
 */
export async function sumPerformance(trx: Transaction<Database>, changed: readonly CampaignDay[]): Promise<void> {
  const keys = distinct(changed);
  if (keys.length === 0) return;
  await sql`
    with reported as (
      select f.*,
        f.campaign_id = '' and f.ad_set_id = '' and f.ad_id = '' as is_account,
        bool_or(f.campaign_id <> '' and f.ad_set_id = '' and f.ad_id = '')
          over (partition by f.merchant_id, f.report_date, f.ad_network_id, f.campaign_id) as has_whole,
        bool_or(f.ad_set_id <> '' and f.ad_id = '')
          over (partition by f.merchant_id, f.report_date, f.ad_network_id, f.campaign_id, f.ad_set_id) as has_set
      from ${dirtyKeys(keys)} join ad_performance f on f.merchant_id = dirty.merchant_id and f.report_date = dirty.day
        and f.ad_network_id = dirty.ad_network_id and f.campaign_id = dirty.campaign_id
    ), wholes as (
      select *, bool_or(not is_account)
          over (partition by merchant_id, report_date, ad_network_id, campaign_id, currency) as has_parts
      from reported
      where is_account or case when has_whole then ad_set_id = '' and ad_id = '' when has_set then ad_id = '' else true end
    ), fresh as (
      select merchant_id, report_date as day, ad_network_id, campaign_id, currency, bool_or(is_account) as is_account,
        sum(impressions)::bigint as impressions,
        sum(clicks)::bigint as clicks, sum(conversions) as conversions, sum(spend_micros)::bigint as spend_micros,
        max(source_at) as as_of
      from wholes where not (is_account and has_parts)
      group by 1, 2, 3, 4, 5
    ), gone as (
      ${deleteGone('ad_days', keys)}
    )
    insert into ad_days (merchant_id, day, ad_network_id, campaign_id, currency, is_account, impressions, clicks,
      conversions, spend_micros, as_of)
    select * from fresh
    order by merchant_id collate "C", day, ad_network_id collate "C", campaign_id collate "C", currency collate "C"
    on conflict (merchant_id, day, ad_network_id, campaign_id, currency) do update set
      is_account = excluded.is_account, impressions = excluded.impressions, clicks = excluded.clicks,
      conversions = excluded.conversions, spend_micros = excluded.spend_micros, as_of = excluded.as_of
  `.execute(trx);
}
