import { type Kysely, type QueryExecutorProvider, sql } from 'kysely';
import { grantMerchantTables } from './merchant-tables.ts';
import { type Rollup, fillRollup, keepRollups } from './report-rollups.ts';

const endOfThird = (first: string): string =>
  `case when extract(day from ${first}) = 21 then (date_trunc('month', ${first}::timestamp) + interval '1 month')::date
    else ${first} + 10 end`;
const month = "date_trunc('month', day::timestamp)::date";
/** Thirds of a month begin on the 1st, the 11th and the 21st. */
const third = `${month} + 10 * least(2, (extract(day from day)::int - 1) / 10)`;
const inThird = `f.day >= t.third and f.day < ${endOfThird('t.third')}`;
const inMonth = "f.day >= t.month and f.day < (t.month + interval '1 month')::date";
const ads = { impressions: 'bigint', clicks: 'bigint', conversions: 'numeric', spend_micros: 'bigint' };
const orders = { orders: 'bigint', revenue_minor: 'bigint' };
const network = { day: 'day', ad_network_id: 'ad_network_id', currency: 'currency' };
const campaign = { month, ad_network_id: 'ad_network_id', campaign_id: 'campaign_id', currency: 'currency' };
const ofNetwork = 'f.day = t.day and f.ad_network_id = t.ad_network_id and f.currency = t.currency';
const ofCampaign = `${inMonth} and f.ad_network_id = t.ad_network_id and f.campaign_id = t.campaign_id
  and f.currency = t.currency`;

const rollups = {
  ad_days: [
    {
      to: 'ad_network_days',
      keys: { ...network, is_account: 'is_account' },
      sums: ads,
      rowsOf: `${ofNetwork} and f.is_account = t.is_account`,
    },
    {
      to: 'ad_months',
      keys: campaign,
      sums: ads,
      where: 'not is_account',
      rowsOf: `${ofCampaign} and not f.is_account`,
    },
  ],
  order_days: [
    { to: 'order_network_days', keys: network, sums: orders, rowsOf: ofNetwork },
    { to: 'order_months', keys: campaign, sums: orders, rowsOf: ofCampaign },
  ],
  product_days: [
    {
      to: 'product_thirds',
      keys: { third, product_id: 'product_id', currency: 'currency' },
      sums: { ...orders, units: 'bigint', spend_micros: 'bigint' },
      rowsOf: `${inThird} and f.product_id = t.product_id and f.currency = t.currency`,
    },
  ],
} as const satisfies Record<string, readonly Rollup[]>;

/** Of a row `d`, which `shared` has the campaign's day of. */
const share = `case when d.product_id = '' or d.revenue_minor <= 0 then 0
    else coalesce(div(shared.spend_micros::numeric * d.revenue_minor, shared.revenue_minor), 0) end`;

const campaignDay = 'merchant_id, day, ad_network_id, campaign_id, currency';

/**
 * Shares what campaigns spent on a day among the products that their orders of the day were for, in proportion to revenue and
 * rounded down to micros. What is written is what differs. `is not distinct from` keeps the currency out of the conditions on
 * the index, where the planner would expect it to skip from product to product.
 * @param of the days of campaigns, with their currencies, that may have changed
 */
const shareSpend = (of: string): string => `
  with shared as materialized (
    select k.*, a.spend_micros, (select sum(greatest(p.revenue_minor, 0)) from product_days p
      where p.merchant_id = k.merchant_id and p.day = k.day and p.ad_network_id = k.ad_network_id
        and p.campaign_id = k.campaign_id and p.currency is not distinct from k.currency) as revenue_minor
    from (${of}) k
      left join ad_days a on a.merchant_id = k.merchant_id and a.day = k.day and a.ad_network_id = k.ad_network_id
        and a.campaign_id = k.campaign_id and a.currency = k.currency and not a.is_account
  )
  update product_days d set spend_micros = ${share} from shared
  where d.merchant_id = shared.merchant_id and d.day = shared.day and d.ad_network_id = shared.ad_network_id
    and d.campaign_id = shared.campaign_id and d.currency is not distinct from shared.currency
    and d.spend_micros <> ${share};`;

/** The same of all days, where nothing is shared yet. */
const shareAll = `
  with shared as (
    select ${campaignDay}, a.spend_micros, c.revenue_minor
    from ad_days a join (
      select ${campaignDay}, sum(greatest(revenue_minor, 0)) as revenue_minor from product_days group by ${campaignDay}
    ) c using (${campaignDay})
    where not is_account
  )
  update product_days d set spend_micros = ${share} from shared
  where d.merchant_id = shared.merchant_id and d.day = shared.day and d.ad_network_id = shared.ad_network_id
    and d.campaign_id = shared.campaign_id and d.currency = shared.currency and ${share} <> 0`;

/** Campaigns' days whose spend, or revenue by product, a statement changed. */
const changed = (operation: 'insert' | 'update' | 'delete', more: string): string =>
  ({
    insert: `select distinct ${campaignDay} from new_rows`,
    update: `select distinct ${campaignDay} from (
      (select ${campaignDay}, ${more} from new_rows except select ${campaignDay}, ${more} from old_rows) union all
      (select ${campaignDay}, ${more} from old_rows except select ${campaignDay}, ${more} from new_rows)) c`,
    delete: `select distinct ${campaignDay} from old_rows`,
  })[operation];

/** Makes all of them of the days that are there; to be called in a transaction. */
export async function fillRollups(db: QueryExecutorProvider): Promise<void> {
  // The planner takes few rows to agree in five columns, and would look each of very many up.
  await sql`set local enable_nestloop = off`.execute(db);
  await sql.raw(shareAll).execute(db);
  for (const [from, all] of Object.entries(rollups)) for (const rollup of all) await fillRollup(db, from, rollup);
  await sql`set local enable_nestloop to default`.execute(db);
}

/**
 * Sums of the sums of days, so that reports over many days read few rows. Triggers keep them, so that workers of the release
 * before this one do too: while both run, and if it comes back. Until this commits, nobody takes figures or orders in.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`lock table ad_days, order_days, product_days in share row exclusive mode`.execute(db);
  await sql`
    create table ad_network_days (
      merchant_id text collate "C" not null,
      day date not null,
      ad_network_id text collate "C" not null,
      currency text collate "C" not null,
      is_account boolean not null,
      -- How many rows are in the sums: of none, there is no sum.
      parts bigint not null,
      impressions bigint not null,
      clicks bigint not null,
      -- To take away exactly what was added.
      conversions numeric not null,
      spend_micros bigint not null,
      as_of timestamptz not null,
      primary key (merchant_id, day, ad_network_id, currency, is_account)
    ) with (fillfactor = 80);

    create table order_network_days (
      merchant_id text collate "C" not null,
      day date not null,
      ad_network_id text collate "C" not null,
      currency text collate "C" not null,
      parts bigint not null,
      orders bigint not null,
      revenue_minor bigint not null,
      as_of timestamptz not null,
      primary key (merchant_id, day, ad_network_id, currency)
    ) with (fillfactor = 80);

    -- By campaign and month, by its first day; without what is of an account as a whole.
    create table ad_months (
      merchant_id text collate "C" not null,
      month date not null,
      ad_network_id text collate "C" not null,
      campaign_id text collate "C" not null,
      currency text collate "C" not null,
      parts bigint not null,
      impressions bigint not null,
      clicks bigint not null,
      conversions numeric not null,
      spend_micros bigint not null,
      as_of timestamptz not null,
      primary key (merchant_id, month, ad_network_id, campaign_id, currency)
    ) with (fillfactor = 80);

    create table order_months (
      merchant_id text collate "C" not null,
      month date not null,
      ad_network_id text collate "C" not null,
      campaign_id text collate "C" not null,
      currency text collate "C" not null,
      parts bigint not null,
      orders bigint not null,
      revenue_minor bigint not null,
      as_of timestamptz not null,
      primary key (merchant_id, month, ad_network_id, campaign_id, currency)
    ) with (fillfactor = 80);

    -- By product and third of a month, by its first day: what a product was called may change within, and then its days count.
    create table product_thirds (
      merchant_id text collate "C" not null,
      third date not null,
      product_id text collate "C" not null,
      currency text collate "C" not null,
      parts bigint not null,
      orders bigint not null,
      units bigint not null,
      revenue_minor bigint not null,
      spend_micros bigint not null,
      as_of timestamptz not null,
      primary key (merchant_id, third, product_id, currency)
    ) with (fillfactor = 80);

    -- Their share of what the campaign spent on the day.
    alter table product_days add column spend_micros bigint not null default 0;
  `.execute(db);
  // The owner sees no rows of merchants otherwise.
  for (const table of Object.keys(rollups))
    await sql`alter table ${sql.table(table)} no force row level security`.execute(db);
  await fillRollups(db);
  await sql`create index product_days_of_product on product_days (merchant_id, product_id, day)`.execute(db);
  await keepRollups(db, 'ad_days', rollups.ad_days, (operation) =>
    shareSpend(changed(operation, 'is_account, spend_micros')),
  );
  await keepRollups(db, 'order_days', rollups.order_days);
  await keepRollups(db, 'product_days', rollups.product_days, (operation) =>
    shareSpend(changed(operation, 'product_id, revenue_minor')),
  );
  for (const table of Object.keys(rollups))
    await sql`alter table ${sql.table(table)} force row level security`.execute(db);
  const read = Object.values(rollups).flatMap((all) => all.map(({ to }) => to));
  await grantMerchantTables(db, { read, write: [] });
  await sql`update schema_info set version = greatest(version, 48)`.execute(db);
}
