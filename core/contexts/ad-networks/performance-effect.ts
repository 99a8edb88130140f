import { type Transaction, sql } from 'kysely';
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

/** The figures of a merchant's campaigns. */
export const createPerformanceEffect = (options: { accounts: AdAccounts; clock: Clock }): NetworkEffect =>
  createFiguresEffect({
    ...options,
    report: (network, account, { range }, signal) => network.report(account, range, signal),
    takeChanged,
  });

/** The days of campaigns of ours that say something new, which are then known as read. */
async function takeChanged(
  trx: Transaction<Database>,
  { merchantId, network }: Whose,
  { rows, from }: FiguresRead,
  nowMs: number,
): Promise<readonly ToldDay<{ campaignId: string }>[]> {
  const ours = await trx
    .selectFrom('campaign_network_states')
    .select(['campaign_id as campaignId', 'external_id as externalId'])
    .where('merchant_id', '=', merchantId)
    .where('ad_network_id', '=', network)
    .where('external_id', 'is not', null)
    .execute();
  const campaignOf = new Map(ours.map(({ campaignId, externalId }) => [externalId, { campaignId }]));
  const known = await trx
    .selectFrom('performance_reads')
    .select(['campaign_id as campaignId', 'report_date as date', 'figures_hash as hash'])
    .where('merchant_id', '=', merchantId)
    .where('ad_network_id', '=', network)
    .where('report_date', '>=', from)
    .execute();
  const hashOf = new Map(known.map(({ campaignId, date, hash }) => [`${date} ${campaignId}`, hash]));
  const changed = untoldDays(
    rows,
    ({ externalId }) => campaignOf.get(externalId),
    ({ campaignId }, { date }) => hashOf.get(`${date} ${campaignId}`),
  );
  const column = <T>(pick: (each: (typeof changed)[number]) => T): T[] => changed.map(pick);
  await sql`
    insert into performance_reads (merchant_id, ad_network_id, campaign_id, report_date, figures_hash, read_at)
    select ${merchantId}, ${network}, campaign_id, report_date, figures_hash, ${new Date(nowMs)}::timestamptz
    from unnest(${column((c) => c.names.campaignId)}::text[], ${column((c) => c.row.date)}::date[],
      ${column((c) => c.hash)}::text[]) as t (campaign_id, report_date, figures_hash)
    order by report_date, campaign_id collate "C"
    on conflict (merchant_id, ad_network_id, report_date, campaign_id) do update set
      figures_hash = excluded.figures_hash, read_at = excluded.read_at
  `.execute(trx);
  // Days that no fetch reads again are of no use.
  await sql`
    delete from performance_reads where merchant_id = ${merchantId} and ad_network_id = ${network}
      and report_date < ${new Date(nowMs - FORGET_AFTER_DAYS * DAY_MS)}::date
  `.execute(trx);
  return changed;
}
