import { type Kysely, sql } from 'kysely';
import type { Database } from '../../../database/tables.ts';
import { microsPerMinor } from '../../../money/currency.ts';
import type { ReportGroup } from '../read-report.ts';

/** Day, network, campaign, product, title, currency, then the figures, as text. */
export type Reckoned = string[];

interface Fact {
  day: string;
  network: string;
  campaign: string;
  set: string;
  ad: string;
  currency: string;
  impressions: number;
  clicks: number;
  conversions: number;
  spend: number;
  at: Date;
}

interface Sale {
  day: string;
  network: string;
  campaign: string;
  product: string;
  currency: string;
  orders: number;
  units: number;
  revenue: number;
  at: Date;
}

interface Version {
  product: string;
  title: string | null;
  begins: Date;
  ends: Date | null;
}

/** What a report is to say, from facts, orders and versions alone, one row after the other. */
export async function reckonReport(
  db: Kysely<Database>,
  merchantId: string,
  groupBy: ReportGroup,
  from: string,
  to: string,
): Promise<Reckoned[]> {
  const { rows: facts } = await sql<Fact>`
    select report_date as day, ad_network_id as network, campaign_id as campaign, ad_set_id as set, ad_id as ad, currency,
      impressions, clicks, conversions, spend_micros as spend, source_at as at
    from ad_performance where merchant_id = ${merchantId} and report_date between ${from}::date and ${to}::date
  `.execute(db);
  const ads = facts.filter((fact) => isCounted(fact, facts, groupBy));
  const figures = new Map<string, { key: string[]; sums: number[]; asOf: number }>();
  const add = (key: string[], sums: number[], at: Date | undefined) => {
    const group = JSON.stringify(key);
    const held = figures.get(group) ?? { key, sums: [0, 0, 0, 0, 0, 0, 0], asOf: 0 };
    const asOf = Math.max(held.asOf, at?.getTime() ?? 0);
    figures.set(group, { key, sums: held.sums.map((sum, i) => sum + (sums[i] ?? 0)), asOf });
  };
  const keyOf = ({ day, network, campaign, currency }: Pick<Fact, 'day' | 'network' | 'campaign' | 'currency'>) =>
    ({
      day: [day, '', '', '', '', currency],
      network: ['', network, '', '', '', currency],
      campaign: ['', network, campaign, '', '', currency],
      product: ['', '', '', '', '', currency],
    })[groupBy];
  for (const fact of ads)
    add(keyOf(fact), [fact.impressions, fact.clicks, fact.spend, 0, 0, 0, fact.conversions], fact.at);
  const sales =
    groupBy === 'product' ? await readLines(db, merchantId, from, to) : await readOrders(db, merchantId, from, to);
  const versions = await readVersions(db, merchantId);
  for (const sale of sales) {
    const { product, currency, day, orders, units, revenue, at } = sale;
    const ofNothing: string[] = keyOf(sale);
    if (groupBy !== 'product') {
      add(ofNothing, [0, 0, 0, orders, 0, revenue * microsPerMinor(currency), 0], at);
      continue;
    }
    const share = shareOf(sale, sales, ads);
    if (share > 0) add(ofNothing, [0, 0, -share], undefined);
    const dayEnd = new Date(Date.parse(day) + 86_400_000);
    const name = versions.find((v) => v.product === product && v.begins < dayEnd && (v.ends ?? dayEnd) >= dayEnd);
    const key = ['', '', '', product, name?.title ?? '', currency];
    add(key, [0, 0, share, orders, units, revenue * microsPerMinor(currency), 0], at);
  }
  return [...figures.values()].map(({ key, sums, asOf }) => [
    ...key,
    ...sums.map((sum) => String(Math.round(sum * 10) / 10)),
    new Date(asOf).toISOString(),
  ]);
}

const sameDay = (a: Pick<Fact, 'day' | 'network'>, b: Pick<Fact, 'day' | 'network'>): boolean =>
  a.day === b.day && a.network === b.network;

const isAccount = ({ campaign, set, ad }: Fact): boolean => campaign === '' && set === '' && ad === '';

/** A campaign by its own figure, else by its sets', else by their ads'; the account where there is nothing else. */
function isCounted(fact: Fact, facts: readonly Fact[], groupBy: ReportGroup): boolean {
  const others = facts.filter((other) => sameDay(fact, other));
  if (isAccount(fact)) {
    if (groupBy === 'campaign' || groupBy === 'product') return false;
    return !others.some(
      (other) => other.currency === fact.currency && !isAccount(other) && isCounted(other, facts, groupBy),
    );
  }
  const ofCampaign = others.filter(({ campaign }) => campaign === fact.campaign);
  const isWhole = ({ set, ad }: Fact) => set === '' && ad === '';
  if (fact.campaign !== '' && ofCampaign.some(isWhole)) return isWhole(fact);
  const bySet = ofCampaign.some(({ set, ad }) => set !== '' && set === fact.set && ad === '');
  return !bySet || fact.ad === '';
}

/** What a product has of the spend of its campaign's day. */
function shareOf(sale: Sale, sales: readonly Sale[], ads: readonly Fact[]): number {
  const same = (other: Pick<Fact, 'day' | 'network' | 'campaign' | 'currency'>) =>
    sameDay(sale, other) && other.campaign === sale.campaign && other.currency === sale.currency;
  const spend = ads.filter(same).reduce((sum, fact) => sum + fact.spend, 0);
  const claimed = sales.filter(same).reduce((sum, { revenue }) => sum + Math.max(0, revenue), 0);
  return sale.product === '' || sale.revenue <= 0 ? 0 : Math.floor((spend * sale.revenue) / claimed);
}

async function readOrders(db: Kysely<Database>, merchantId: string, from: string, to: string): Promise<Sale[]> {
  const { rows } = await sql<Sale>`
    select order_day as day, ad_network_id as network, campaign_id as campaign, '' as product, currency,
      counts::int as orders, 0 as units, revenue_minor as revenue, source_at as at
    from attributed_orders where merchant_id = ${merchantId} and order_day between ${from}::date and ${to}::date
  `.execute(db);
  return rows;
}

/** By campaign, product and day. */
async function readLines(db: Kysely<Database>, merchantId: string, from: string, to: string): Promise<Sale[]> {
  const { rows } = await sql<Sale>`
    select order_day as day, ad_network_id as network, campaign_id as campaign, product_id as product, currency,
      sum(counts::int)::int as orders, sum(units)::int as units, sum(revenue_minor)::int as revenue, max(source_at) as at
    from order_lines where merchant_id = ${merchantId} and order_day between ${from}::date and ${to}::date
    group by 1, 2, 3, 4, 5
  `.execute(db);
  return rows;
}

async function readVersions(db: Kysely<Database>, merchantId: string): Promise<Version[]> {
  const { rows } = await sql<Version>`
    select product_id as product, title, valid_from as begins, valid_to as ends
    from product_versions where merchant_id = ${merchantId}
  `.execute(db);
  return rows;
}
