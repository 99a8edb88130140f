import { type Kysely, type Transaction, sql } from 'kysely';
import { z } from 'zod';
import type { AdAccounts } from './accounts.ts';
import type { NetworkEffect } from './effect.ts';
import { createHandover } from './handover.ts';
import type { ReportRow } from './network.ts';
import { daysBack } from './report-days.ts';
import type { AdNetworkId } from '../campaigns/events.ts';
import type { Database } from '../../database/tables.ts';
import type { Clock } from '../../runtime/clock.ts';
import { contentHash } from '../../runtime/ids.ts';

const desiredReport = z.looseObject({ days: z.int().min(1).max(30) });

interface Read {
  currency: string;
  timeZone: string;
  readAtMs: number;
  /** The first day that was read. */
  from: string;
  rows: readonly ReportRow[];
}

interface Whose {
  merchantId: string;
  network: AdNetworkId;
}

/** An ad's day, in our names. */
interface AdDay {
  campaignId: string;
  adSetId: string;
  adId: string;
  row: ReportRow;
}

/** Days of ads that are told in one transaction; more follow with the next fetch, which finds them untold. */
const MAX_TOLD = 5_000;
const DAY_MS = 86_400_000;
/** Ads that ended longer ago have figures that no network restates. */
const KEEP_DAYS = 60;

/**
 * Reads the figures of a merchant's ads at a network and publishes each day that has changed since it was last read. What is
 * read of campaigns stands for them in every sum, so that a day of an ad is told only when that of its campaign has been.
 */
export function createAdPerformanceEffect(options: {
  accounts: AdAccounts;
  clock: Clock;
  db: Kysely<Database>;
}): NetworkEffect {
  const { accounts, clock, db } = options;
  const handover = createHandover<Read>();
  return {
    async send(network, call, signal) {
      const { days } = desiredReport.parse(call.desired);
      const { merchantId, idempotencyKey } = call;
      const account = await accounts.of(network, merchantId, signal);
      const readAtMs = clock.now();
      const range = daysBack(account.timeZone, readAtMs, days);
      const campaignIds = await readCampaignsWithAds(db, { merchantId, network: network.id }, readAtMs);
      const rows = await network.adObjects.report(account, range, campaignIds, signal);
      const { currency, timeZone } = account;
      handover.put(idempotencyKey, { currency, timeZone, readAtMs, from: range.from, rows });
      return { externalId: 'report', actual: { rows: rows.length } };
    },
    probe: () => Promise.resolve(undefined),
    satisfies: () => false,
    async recordSuccess(trx, network, call, _result, _observed, context) {
      const read = handover.take(call.idempotencyKey);
      if (read === undefined) return;
      const whose = { merchantId: call.merchantId, network: network.id };
      for (const { campaignId, adSetId, adId, row } of await takeChanged(trx, whose, read, context.now)) {
        const { impressions, clicks, conversions, spendMicros } = row;
        context.emit({
          eventType: 'AdPerformanceDataIngestedEvent',
          payload: {
            adNetworkId: network.id,
            reportDate: row.date,
            ...{ campaignId, adSetId, adId },
            metricsPayload: { impressions, clicks, conversions, spendMicros, currency: read.currency },
            timestamp: new Date(read.readAtMs).toISOString(),
            accountTimeZone: read.timeZone,
          },
        });
      }
    },
    recordFailure: () => Promise.resolve(),
  };
}

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
      and (o.state <> 'ended' or o.updated_at > ${new Date(nowMs - KEEP_DAYS * DAY_MS)}::timestamptz)
    order by 1
  `.execute(db);
  return rows.map(({ externalId }) => externalId);
}

/** The rows of ads of ours that say something new, which are then known as read. */
async function takeChanged(
  trx: Transaction<Database>,
  { merchantId, network }: Whose,
  { rows, from }: Read,
  nowMs: number,
): Promise<AdDay[]> {
  const ours = await sql<Omit<AdDay, 'row'> & { externalId: string }>`
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
  const changed = rows
    .flatMap((row) => {
      const ad = adOf.get(row.externalId);
      return ad === undefined ? [] : [{ ...ad, row, hash: contentHash(row) }];
    })
    .filter(({ campaignId, row }) => isTold.has(`${row.date} ${campaignId}`))
    .filter(({ adId, row, hash }) => hashOf.get(`${row.date} ${adId}`) !== hash)
    .slice(0, MAX_TOLD);
  const column = <T>(pick: (each: (typeof changed)[number]) => T): T[] => changed.map(pick);
  await sql`
    insert into ad_performance_reads (merchant_id, ad_network_id, report_date, ad_id, figures_hash, read_at)
    select ${merchantId}, ${network}, report_date, ad_id, figures_hash, ${new Date(nowMs)}::timestamptz
    from unnest(${column((c) => c.row.date)}::date[], ${column((c) => c.adId)}::text[], ${column((c) => c.hash)}::text[])
      as t (report_date, ad_id, figures_hash)
    order by report_date, ad_id collate "C"
    on conflict (merchant_id, ad_network_id, report_date, ad_id) do update set
      figures_hash = excluded.figures_hash, read_at = excluded.read_at
  `.execute(trx);
  // Days that no fetch reads again are of no use.
  await sql`
    delete from ad_performance_reads where merchant_id = ${merchantId} and ad_network_id = ${network}
      and report_date < ${new Date(nowMs - KEEP_DAYS * DAY_MS)}::date
  `.execute(trx);
  return changed;
}
