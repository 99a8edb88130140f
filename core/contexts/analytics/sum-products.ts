import { type Transaction, sql } from 'kysely';
import type { CampaignDay } from './sum-days.ts';
import type { Database } from '../../database/tables.ts';

export interface ProductDay extends CampaignDay {
  /** Empty for what belongs to no product. */
  productId: string;
}

/** Makes the sums of products' days again from the lines of orders, as `sum-days.ts` does those of campaigns. */
export async function sumProducts(trx: Transaction<Database>, changed: readonly ProductDay[]): Promise<void> {
  const keys = [
    ...new Map(
      changed.map((k) => [JSON.stringify([k.merchantId, k.day, k.adNetworkId, k.campaignId, k.productId]), k]),
    ).values(),
  ];
  if (keys.length === 0) return;
  const dirty = sql`
    unnest(${keys.map((k) => k.merchantId)}::text[], ${keys.map((k) => k.day)}::date[],
      ${keys.map((k) => k.adNetworkId)}::text[], ${keys.map((k) => k.campaignId)}::text[],
      ${keys.map((k) => k.productId)}::text[]) as dirty (merchant_id, day, ad_network_id, campaign_id, product_id)`;
  await sql`
    with fresh as (
      select l.merchant_id, l.order_day as day, l.ad_network_id, l.campaign_id, l.product_id, l.currency,
        count(*) filter (where l.counts) as orders, sum(l.units)::bigint as units,
        sum(l.revenue_minor)::bigint as revenue_minor, max(l.source_at) as as_of
      from ${dirty} join order_lines l on l.merchant_id = dirty.merchant_id and l.order_day = dirty.day
        and l.ad_network_id = dirty.ad_network_id and l.campaign_id = dirty.campaign_id
        and l.product_id = dirty.product_id
      group by 1, 2, 3, 4, 5, 6
    ), gone as (
      delete from product_days d using ${dirty}
      where d.merchant_id = dirty.merchant_id and d.day = dirty.day and d.ad_network_id = dirty.ad_network_id
        and d.campaign_id = dirty.campaign_id and d.product_id = dirty.product_id
        and not exists (select from fresh f where f.merchant_id = d.merchant_id and f.day = d.day
          and f.ad_network_id = d.ad_network_id and f.campaign_id = d.campaign_id and f.product_id = d.product_id
          and f.currency = d.currency)
    )
    insert into product_days (merchant_id, day, ad_network_id, campaign_id, product_id, currency, orders, units,
      revenue_minor, as_of)
    select * from fresh
    order by merchant_id collate "C", day, ad_network_id collate "C", campaign_id collate "C", product_id collate "C",
      currency collate "C"
    on conflict (merchant_id, day, ad_network_id, campaign_id, product_id, currency) do update set
      orders = excluded.orders, units = excluded.units, revenue_minor = excluded.revenue_minor, as_of = excluded.as_of
  `.execute(trx);
}
