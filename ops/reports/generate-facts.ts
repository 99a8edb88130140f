import { type Kysely, sql } from 'kysely';
import { fillRollups } from '../../core/database/migrations/0048-report-rollups.ts';
import type { Database } from '../../core/database/tables.ts';

export interface Extent {
  facts: number;
  merchants: number;
  /** Days up to and with the last one. */
  days: number;
  /** `YYYY-MM-DD` */
  lastDay: string;
}

const ADS_PER_CAMPAIGN = 20;
const ORDERS_PER_FACT = 0.1;

/**
 * Fills the tables of reports as the handlers would: facts by ad, a tenth as many orders of one to three products, products
 * that were renamed, and the sums of all these. Merchants are as unequal as in life (Zipf 1.1). Day by day, so that a
 * merchant's rows lie as scattered as they come. Set-based: ten million facts take minutes.
 */
export async function generateFacts(
  db: Kysely<Database>,
  { facts, merchants, days, lastDay }: Extent,
  say: (line: string) => void,
): Promise<void> {
  await sql`
    create table shops as
    with weighed as (select n, power(n, -1.1) as weight from generate_series(1, ${merchants}) n)
    select 'shop-' || n as merchant_id,
      greatest(1, round(${facts}::numeric / ${days} * (weight / sum(weight) over ())::numeric))::int as ads
    from weighed
  `.execute(db);
  // Built once at the end instead of kept row by row.
  for (const table of ['ad_days', 'order_days', 'product_days'])
    await sql`alter table ${sql.table(table)} disable trigger user`.execute(db);
  await sql`alter table ad_performance drop constraint ad_performance_pkey`.execute(db);
  for (let before = days - 1; before >= 0; before--) {
    await sql`
      insert into ad_performance (merchant_id, report_date, ad_network_id, campaign_id, ad_set_id, ad_id, impressions,
        clicks, conversions, spend_micros, currency, source_at, source_event_id, updated_at)
      select merchant_id, day, (array['google_ads', 'meta', 'tiktok'])[1 + campaign % 3], 'cmp-' || campaign,
        'set-' || campaign, 'ad-' || ad, 1000 + noise, 20 + noise % 50, (noise % 40) / 10.0, 1000000 + noise * 1000,
        'EUR', day + interval '1 day 6 hours', merchant_id || '-' || day || '-' || ad, day + interval '1 day 6 hours'
      from shops, (select ${lastDay}::date - ${before}::int as day) d, generate_series(1, ads) ad,
        lateral (select (ad - 1) / ${ADS_PER_CAMPAIGN}::int as campaign, (ad * 7919 + ${before}::int * 104729) % 1000 as noise) f
    `.execute(db);
    if (before % 50 === 0) say(`facts: ${days - before} of ${days} days`);
  }
  await sql`
    alter table ad_performance
      add primary key (merchant_id, report_date, ad_network_id, campaign_id, ad_set_id, ad_id)
  `.execute(db);
  await sql`
    insert into ad_days (merchant_id, day, ad_network_id, campaign_id, currency, is_account, impressions, clicks,
      conversions, spend_micros, as_of)
    select merchant_id, report_date, ad_network_id, campaign_id, currency, false, sum(impressions), sum(clicks),
      sum(conversions), sum(spend_micros), max(source_at)
    from ad_performance group by 1, 2, 3, 4, 5
  `.execute(db);
  say('facts and their sums are there');
  await generateOrders(db, { days, lastDay });
  await sql`analyze ad_days, order_days, product_days`.execute(db);
  await db.transaction().execute((trx) => fillRollups(trx));
  for (const table of ['ad_days', 'order_days', 'product_days'])
    await sql`alter table ${sql.table(table)} enable trigger user`.execute(db);
  await sql`vacuum analyze`.execute(db);
  say('orders, products and their sums are there');
}

async function generateOrders(
  db: Kysely<Database>,
  { days, lastDay }: Pick<Extent, 'days' | 'lastDay'>,
): Promise<void> {
  await sql`
    insert into attributed_orders (merchant_id, order_id, order_day, ad_network_id, campaign_id, touch, counts,
      revenue_minor, currency, source_at, source_event_id, updated_at)
    select merchant_id, 'o-' || day || '-' || n, day, (array['google_ads', 'meta', 'tiktok'])[1 + campaign % 3],
      'cmp-' || campaign, 'click', true, 1000 + n % 9000, 'EUR', day + interval '12 hours', 'e-' || n,
      day + interval '12 hours'
    from (select ${lastDay}::date - back as day, back from generate_series(0, ${days}::int - 1) back) d, shops,
      generate_series(1, greatest(1, round(ads * ${ORDERS_PER_FACT}::numeric))::int) n,
      lateral (select (n * 31 + back) % (1 + (ads - 1) / ${ADS_PER_CAMPAIGN}::int) as campaign) c
  `.execute(db);
  await sql`
    insert into order_lines (merchant_id, order_id, product_id, order_day, ad_network_id, campaign_id, counts, units,
      revenue_minor, currency, source_at)
    select o.merchant_id, order_id, 'sku-' || (hashtext(order_id) & 1023) % (20 + ads / 10) + part * 2000, order_day,
      ad_network_id, campaign_id, true, 1, revenue_minor / parts, currency, source_at
    from attributed_orders o join shops using (merchant_id),
      lateral (select 1 + (hashtext(order_id) & 1) as parts) p, generate_series(0, parts - 1) part
  `.execute(db);
  await sql`
    insert into order_days (merchant_id, day, ad_network_id, campaign_id, currency, orders, revenue_minor, as_of)
    select merchant_id, order_day, ad_network_id, campaign_id, currency, count(*), sum(revenue_minor), max(source_at)
    from attributed_orders group by 1, 2, 3, 4, 5
  `.execute(db);
  await sql`
    insert into product_days (merchant_id, day, ad_network_id, campaign_id, product_id, currency, orders, units,
      revenue_minor, as_of)
    select merchant_id, order_day, ad_network_id, campaign_id, product_id, currency, count(*), sum(units),
      sum(revenue_minor), max(source_at)
    from order_lines group by 1, 2, 3, 4, 5, 6
  `.execute(db);
  await sql`
    insert into product_versions (merchant_id, product_id, valid_from, valid_to, title, brand, active)
    select merchant_id, product_id, begins, lead(begins) over (partition by merchant_id, product_id order by begins),
      product_id || ' in year ' || to_char(begins, 'YYYY-MM'), 'Acme', true
    from (select distinct merchant_id, product_id from order_lines) p,
      lateral (select ${lastDay}::date - back * interval '120 days' as begins from generate_series(0, 4) back) v
  `.execute(db);
}
