import { type Transaction, sql } from 'kysely';
import { z } from 'zod';
import type { AdAccounts } from './accounts.ts';
import type { NetworkEffect } from './effect.ts';
import { createHandover } from './handover.ts';
import type { ReportRow } from './network.ts';
import { daysBack } from './report-days.ts';
import type { Database } from '../../database/tables.ts';
import type { EffectCall } from '../../events/destination.ts';
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

/** Days of campaigns that are told in one transaction; more follow with the next fetch, which finds them untold. */
const MAX_TOLD = 5_000;
const FORGET_AFTER_DAYS = 60;

/**
 * Reads the figures of a merchant's campaigns at a network and publishes each day that has changed since it was last read:
 * networks restate a day for weeks, and most days of most fetches are what they were.
 */
export function createPerformanceEffect({ accounts, clock }: { accounts: AdAccounts; clock: Clock }): NetworkEffect {
  const handover = createHandover<Read>();
  return {
    async send(network, call, signal) {
      const { days } = desiredReport.parse(call.desired);
      const account = await accounts.of(network, call.merchantId, signal);
      const readAtMs = clock.now();
      const range = daysBack(account.timeZone, readAtMs, days);
      const rows = await network.report(account, range, signal);
      const { currency, timeZone } = account;
      handover.put(call.idempotencyKey, { currency, timeZone, readAtMs, from: range.from, rows });
      return { externalId: 'report', actual: { rows: rows.length } };
    },
    probe: () => Promise.resolve(undefined),
    satisfies: () => false,
    async recordSuccess(trx, network, call, _result, _observed, context) {
      const read = handover.take(call.idempotencyKey);
      if (read === undefined) return;
      for (const { campaignId, row } of await takeChanged(trx, network.id, call, read, context.now)) {
        const { impressions, clicks, conversions, spendMicros } = row;
        context.emit({
          eventType: 'AdPerformanceDataIngestedEvent',
          payload: {
            adNetworkId: network.id,
            reportDate: row.date,
            campaignId,
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

/** The rows of campaigns of ours that say something new, which are then known as read. */
async function takeChanged(
  trx: Transaction<Database>,
  network: string,
  { merchantId }: EffectCall,
  { rows, from }: Read,
  nowMs: number,
): Promise<{ campaignId: string; row: ReportRow }[]> {
  const ours = await trx
    .selectFrom('campaign_network_states')
    .select(['campaign_id as campaignId', 'external_id as externalId'])
    .where('merchant_id', '=', merchantId)
    .where('ad_network_id', '=', network)
    .where('external_id', 'is not', null)
    .execute();
  const campaignOf = new Map(ours.map(({ campaignId, externalId }) => [externalId, campaignId]));
  const known = await trx
    .selectFrom('performance_reads')
    .select(['campaign_id as campaignId', 'report_date as date', 'figures_hash as hash'])
    .where('merchant_id', '=', merchantId)
    .where('ad_network_id', '=', network)
    .where('report_date', '>=', from)
    .execute();
  const hashOf = new Map(known.map(({ campaignId, date, hash }) => [`${date} ${campaignId}`, hash]));
  const changed = rows
    .flatMap((row) => {
      const campaignId = campaignOf.get(row.externalId);
      return campaignId === undefined ? [] : [{ campaignId, row, hash: contentHash(row) }];
    })
    .filter(({ campaignId, row, hash }) => hashOf.get(`${row.date} ${campaignId}`) !== hash)
    .slice(0, MAX_TOLD);
  const column = <T>(pick: (each: (typeof changed)[number]) => T): T[] => changed.map(pick);
  await sql`
    insert into performance_reads (merchant_id, ad_network_id, campaign_id, report_date, figures_hash, read_at)
    select ${merchantId}, ${network}, campaign_id, report_date, figures_hash, ${new Date(nowMs)}::timestamptz
    from unnest(${column((c) => c.campaignId)}::text[], ${column((c) => c.row.date)}::date[],
      ${column((c) => c.hash)}::text[]) as t (campaign_id, report_date, figures_hash)
    order by report_date, campaign_id collate "C"
    on conflict (merchant_id, ad_network_id, report_date, campaign_id) do update set
      figures_hash = excluded.figures_hash, read_at = excluded.read_at
  `.execute(trx);
  // Days that no fetch reads again are of no use.
  await sql`
    delete from performance_reads where merchant_id = ${merchantId} and ad_network_id = ${network}
      and report_date < ${new Date(nowMs - FORGET_AFTER_DAYS * 86_400_000)}::date
  `.execute(trx);
  return changed;
}
