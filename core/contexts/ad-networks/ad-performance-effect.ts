import { type Kysely, type Transaction, sql } from 'kysely';
import type { AdAccounts } from './accounts.ts';
import type { NetworkEffect } from './effect.ts';
import {
  FORGET_AFTER_DAYS,
  type FiguresRead,
  type ToldDay,
  type Whose,
  createFiguresEffect,
  untoldDays,
} from './figures-effect.ts';
import type { Database } from '../../database/tables.ts';
import { type Clock, DAY_MS } from '../../runtime/clock.ts';

/** An ad in our names. */
interface AdNames {
  campaignId: string;
  adSetId: string;
  adId: string;
}

/** The figures of a merchant's ads, of which those of their campaigns stand for the whole. */
export const createAdPerformanceEffect = (options: {
  accounts: AdAccounts;
  clock: Clock;
  db: Kysely<Database>;
}): NetworkEffect =>
  createFiguresEffect({
    ...options,
    async report(network, account, { merchantId, range, nowMs }, signal) {
      const campaignIds = await readCampaignsWithAds(options.db, { merchantId, network: network.id }, nowMs);
      return await network.adObjects.report(account, range, campaignIds, signal);
    },
    takeChanged,
  });

/** What the network calls the campaigns that have ads of ours there. */
async function readCampaignsWithAds(
  db: Kysely<Database>,
  { merchantId, network }: Whose,
  nowMs: number,
): Promise<string[]> {
  const { rows } = await sql<{ externalId: string }>`
    select distinct c.external_id as "externalId"
    from ad_objects o
      join ad_object_network_states s on s.merchant_id = o.merchant_id and s.object_id = o.object_id
      join campaign_network_states c on c.merchant_id = o.merchant_id and c.campaign_id = o.campaign_id
        and c.ad_network_id = s.ad_network_id
    where o.merchant_id = ${merchantId} and s.ad_network_id = ${network} and o.kind = 'ad'
      and s.external_id is not null and c.external_id is not null
      and (o.state <> 'ended' or o.updated_at > ${new Date(nowMs - FORGET_AFTER_DAYS * DAY_MS)}::timestamptz)
    order by 1
  `.execute(db);
  return rows.map(({ externalId }) => externalId);
}

/**
 * The days of ads of ours that say something new, which are then known as read. What is read of campaigns stands for their
 * ads in every sum, so that a day of an ad is told only when that of its campaign has been.
 */
async function takeChanged(
  trx: Transaction<Database>,
  { merchantId, network }: Whose,
  { rows, from }: FiguresRead,
  nowMs: number,
): Promise<readonly ToldDay<AdNames>[]> {
  const ours = await sql<AdNames & { externalId: string }>`
    select o.campaign_id as "campaignId", o.ad_set_id as "adSetId", o.object_id as "adId", s.external_id as "externalId"
    from ad_object_network_states s join ad_objects o on o.merchant_id = s.merchant_id and o.object_id = s.object_id
    where s.merchant_id = ${merchantId} and s.ad_network_id = ${network} and o.kind = 'ad'
      and s.external_id = any(${[...new Set(rows.map(({ externalId }) => externalId))]}::text[])
  `.execute(trx);
  const adOf = new Map(ours.rows.map(({ externalId, ...ad }) => [externalId, ad]));
  const known = await trx
    .selectFrom('ad_performance_reads')
    .select(['ad_id as adId', 'report_date as date', 'figures_hash as hash'])
    .where('merchant_id', '=', merchantId)
    .where('ad_network_id', '=', network)
    .where('report_date', '>=', from)
    .execute();
  const hashOf = new Map(known.map(({ adId, date, hash }) => [`${date} ${adId}`, hash]));
  const campaignDays = await trx
    .selectFrom('performance_reads')
    .select(['campaign_id as campaignId', 'report_date as date'])
    .where('merchant_id', '=', merchantId)
    .where('ad_network_id', '=', network)
    .where('report_date', '>=', from)
    .execute();
  const isTold = new Set(campaignDays.map(({ campaignId, date }) => `${date} ${campaignId}`));
  const changed = untoldDays(
    rows,
    ({ externalId, date }) => {
      const ad = adOf.get(externalId);
      return ad !== undefined && isTold.has(`${date} ${ad.campaignId}`) ? ad : undefined;
    },
    ({ adId }, { date }) => hashOf.get(`${date} ${adId}`),
  );
  const column = <T>(pick: (each: (typeof changed)[number]) => T): T[] => changed.map(pick);
  await sql`
    insert into ad_performance_reads (merchant_id, ad_network_id, report_date, ad_id, figures_hash, read_at)
    select ${merchantId}, ${network}, report_date, ad_id, figures_hash, ${new Date(nowMs)}::timestamptz
    from unnest(${column((c) => c.row.date)}::date[], ${column((c) => c.names.adId)}::text[], ${column((c) => c.hash)}::text[])
      as t (report_date, ad_id, figures_hash)
    order by report_date, ad_id collate "C"
    on conflict (merchant_id, ad_network_id, report_date, ad_id) do update set
      figures_hash = excluded.figures_hash, read_at = excluded.read_at
  `.execute(trx);
  // Days that no fetch reads again are of no use.
  await sql`
    delete from ad_performance_reads where merchant_id = ${merchantId} and ad_network_id = ${network}
      and report_date < ${new Date(nowMs - FORGET_AFTER_DAYS * DAY_MS)}::date
  `.execute(trx);
  return changed;
}
