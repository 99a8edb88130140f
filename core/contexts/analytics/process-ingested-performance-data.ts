import { sql } from 'kysely';
import type { LanewayEvent } from '../../events/envelope.ts';
import { defineHandler, done, skip } from '../../events/handler.ts';
import type { AdPerformanceDataIngested } from '../ad-networks/events.ts';
import { isPastRetention } from '../retention/reads.ts';
import { sumPerformance } from './sum-days.ts';

type Report = LanewayEvent<AdPerformanceDataIngested>;

/**
 * Networks restate a day's figures for weeks, so a report replaces the earlier one of its key. The greatest (read at,
 * event id) wins in whatever order reports come, which is why this handler may hold its event only. What comes for a day
 * whose figures may be gone already is left out: its sums stand as they are.
 */
export const processIngestedPerformanceData = defineHandler<AdPerformanceDataIngested>({
  async handleMany(events, { trx, now }) {
    const latest = new Map<string, Report>();
    const isOver = ({ payload }: Report) => isPastRetention('ad_performance', payload.reportDate, now);
    for (const event of events) {
      if (isOver(event)) continue;
      const key = keyOf(event);
      const known = latest.get(key);
      if (known === undefined || isLater(event, known)) latest.set(key, event);
    }
    const reports = [...latest.values()];
    const column = <T>(pick: (report: Report) => T): T[] => reports.map(pick);
    await sql`
      insert into ad_performance as held (merchant_id, report_date, ad_network_id, campaign_id, ad_set_id, ad_id,
        impressions, clicks, conversions, spend_micros, currency, source_at, source_event_id, updated_at)
      select t.*, ${new Date(now)}::timestamptz
      from unnest(${column((r) => r.merchantId)}::text[], ${column((r) => r.payload.reportDate)}::date[],
        ${column((r) => r.payload.adNetworkId)}::text[], ${column((r) => r.payload.campaignId ?? '')}::text[],
        ${column((r) => r.payload.adSetId ?? '')}::text[], ${column((r) => r.payload.adId ?? '')}::text[],
        ${column((r) => r.payload.metricsPayload.impressions)}::bigint[],
        ${column((r) => r.payload.metricsPayload.clicks)}::bigint[],
        ${column((r) => r.payload.metricsPayload.conversions)}::float8[],
        ${column((r) => r.payload.metricsPayload.spendMicros)}::bigint[],
        ${column((r) => r.payload.metricsPayload.currency)}::text[],
        ${column((r) => new Date(r.payload.timestamp))}::timestamptz[], ${column((r) => r.eventId)}::text[])
        as t (merchant_id, report_date, ad_network_id, campaign_id, ad_set_id, ad_id)
      order by merchant_id collate "C", report_date, ad_network_id collate "C", campaign_id collate "C",
        ad_set_id collate "C", ad_id collate "C"
      on conflict (merchant_id, report_date, ad_network_id, campaign_id, ad_set_id, ad_id) do update set
        impressions = excluded.impressions, clicks = excluded.clicks, conversions = excluded.conversions,
        spend_micros = excluded.spend_micros, currency = excluded.currency, source_at = excluded.source_at,
        source_event_id = excluded.source_event_id, updated_at = excluded.updated_at
      where (excluded.source_at, excluded.source_event_id) > (held.source_at, held.source_event_id)
    `.execute(trx);
    await sumPerformance(
      trx,
      reports.map(({ merchantId, payload: { reportDate, adNetworkId, campaignId = '' } }) => ({
        merchantId,
        day: reportDate,
        adNetworkId,
        campaignId,
      })),
    );
    return events.map((event) => (isOver(event) ? skip('the day is past its retention') : done));
  },
});

const keyOf = ({ merchantId, payload }: Report): string =>
  JSON.stringify([
    merchantId,
    payload.reportDate,
    payload.adNetworkId,
    payload.campaignId ?? '',
    payload.adSetId ?? '',
    payload.adId ?? '',
  ]);

function isLater(a: Report, b: Report): boolean {
  const difference = Date.parse(a.payload.timestamp) - Date.parse(b.payload.timestamp);
  return difference === 0 ? Buffer.compare(Buffer.from(a.eventId), Buffer.from(b.eventId)) > 0 : difference > 0;
}
