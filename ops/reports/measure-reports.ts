import { type Kysely, type Transaction, sql } from 'kysely';
import { percentile, round } from '../bench/statistics.ts';
import { attributeOrderData } from '../../core/contexts/analytics/attribute-order-data.ts';
import type { OrderDataAttributedToAd } from '../../core/contexts/analytics/events.ts';
import { processIngestedPerformanceData } from '../../core/contexts/analytics/process-ingested-performance-data.ts';
import { readReport, reportGroups } from '../../core/contexts/analytics/read-report.ts';
import type { Database } from '../../core/database/tables.ts';
import { asMerchant } from '../../core/database/transaction.ts';
import type { LanewayEvent } from '../../core/events/envelope.ts';
import type { HandlerModule } from '../../core/events/handler.ts';
import type { AdPerformanceDataIngested } from '../../core/contexts/ad-networks/events.ts';

export interface ReportFigures {
  groupBy: string;
  days: number;
  reports: number;
  p50Ms: number;
  p95Ms: number;
  maxMs: number;
  /** Of the longest report. */
  maxRows: number;
}

const DAY_MS = 86_400_000;
const RANGES = [30, 90, 365];
/** The largest merchant first, then ever smaller ones. */
const RANKS = [1, 2, 3, 5, 10, 30, 100, 300];
const REPEATS = 5;
const MAX_ROWS = 5_001;

/** Reads reports of merchants of all sizes as the gateway does, one after the other. */
export async function measureReports(
  db: Kysely<Database>,
  { merchants, lastDay }: { merchants: number; lastDay: string },
): Promise<ReportFigures[]> {
  const figures: ReportFigures[] = [];
  for (const groupBy of reportGroups)
    for (const days of RANGES) {
      const from = new Date(Date.parse(lastDay) - (days - 1) * DAY_MS).toISOString().slice(0, 10);
      const times: number[] = [];
      let maxRows = 0;
      for (const rank of RANKS.filter((each) => each <= merchants))
        for (let turn = 0; turn < REPEATS; turn++) {
          const merchantId = `shop-${rank}`;
          const begun = performance.now();
          const rows = await asMerchant(db, merchantId, (trx) =>
            readReport(trx, merchantId, { from, to: lastDay, groupBy, limit: MAX_ROWS }),
          );
          times.push(performance.now() - begun);
          maxRows = Math.max(maxRows, rows.length);
        }
      figures.push({
        ...{ groupBy, days, reports: times.length, maxRows },
        p50Ms: round(percentile(times, 50)),
        p95Ms: round(percentile(times, 95)),
        maxMs: round(percentile(times, 100)),
      });
    }
  return figures;
}

export interface RefreshFigures {
  /** Of figures each is of another campaign; orders of the largest merchant are restated as they are, with a refund. */
  what: 'figures' | 'orders';
  changed: number;
  p50Ms: number;
  /** Rows that the last transaction read or wrote in all tables. */
  rowsTouched: number;
}

/** What it costs to take restated figures and orders in, all sums with them. Rolled back: each turn meets the same tables. */
export async function measureRefresh(db: Kysely<Database>, lastDay: string): Promise<RefreshFigures[]> {
  const figures: RefreshFigures[] = [];
  for (const what of ['figures', 'orders'] as const)
    for (const changed of [1, 10, 100]) {
      const times: number[] = [];
      let rowsTouched = 0;
      for (let turn = 0; turn < 2 * REPEATS; turn++) {
        const trx = await db.startTransaction().execute();
        const before = await countTouched(trx);
        const begun = performance.now();
        if (what === 'figures')
          await take(processIngestedPerformanceData, figuresAgain(changed, lastDay, turn), trx, lastDay);
        else await take(attributeOrderData, ordersAgain(changed, lastDay, turn), trx, lastDay);
        times.push(performance.now() - begun);
        rowsTouched = (await countTouched(trx)) - before;
        await trx.rollback().execute();
      }
      figures.push({ what, changed, p50Ms: round(percentile(times, 50)), rowsTouched });
    }
  return figures;
}

async function take(
  handler: HandlerModule,
  events: readonly LanewayEvent[],
  trx: Transaction<Database>,
  lastDay: string,
): Promise<void> {
  if (!('handleMany' in handler)) throw new Error('figures and orders are taken by the batch');
  await handler.handleMany(events, {
    trx,
    signal: new AbortController().signal,
    now: Date.parse(lastDay) + DAY_MS,
    emit: () => undefined,
    intend: () => undefined,
  });
}

/** What the server counts may still hold the turn before. */
async function countTouched(trx: Transaction<Database>): Promise<number> {
  const { rows } = await sql<{ touched: number }>`
    select sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) + n_tup_ins + n_tup_upd + n_tup_del)::bigint
      as touched from pg_stat_xact_user_tables
  `.execute(trx);
  return rows[0]?.touched ?? 0;
}

const eventOf = <Payload>(
  eventType: string,
  eventVersion: string,
  day: string,
  turn: number,
  n: number,
  payload: Payload,
): LanewayEvent<Payload> => ({
  eventId: `restated-${turn}-${n}`,
  eventType,
  eventVersion,
  timestamp: `${day}T23:00:00.000Z`,
  sourceService: 'measurement',
  correlationId: 'measurement',
  merchantId: 'shop-1',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  mseq: n + 1,
  day,
  payload,
});

const networks = ['google_ads', 'meta', 'tiktok'] as const;
const readAt = (lastDay: string): string => new Date(Date.parse(lastDay) + 2 * DAY_MS).toISOString();

const figuresAgain = (count: number, lastDay: string, turn: number): LanewayEvent<AdPerformanceDataIngested>[] =>
  Array.from({ length: count }, (_, n) =>
    eventOf('AdPerformanceDataIngestedEvent', '1.1.0', lastDay, turn, n, {
      adNetworkId: networks[n % 3] ?? 'meta',
      reportDate: lastDay,
      campaignId: `cmp-${n}`,
      adSetId: `set-${n}`,
      adId: `ad-${n * 20 + 1}`,
      metricsPayload: { impressions: 5, clicks: 4, conversions: 1, spendMicros: 7, currency: 'EUR' },
      timestamp: readAt(lastDay),
    }),
  );

const ordersAgain = (count: number, lastDay: string, turn: number): LanewayEvent<OrderDataAttributedToAd>[] =>
  Array.from({ length: count }, (_, n) =>
    eventOf('OrderDataAttributedToAdEvent', '1.0.0', lastDay, turn, n, {
      orderId: `o-${lastDay}-${n + 1}`,
      orderedAt: `${lastDay}T12:00:00.000Z`,
      status: 'placed',
      totalMinor: 1_000 + n,
      refundedMinor: 100,
      currency: 'EUR',
      touches: [
        {
          adNetworkId: networks[n % 3] ?? 'meta',
          campaignId: `cmp-${n}`,
          kind: 'click',
          at: `${lastDay}T11:00:00.000Z`,
        },
      ],
      lines: [{ productId: `sku-${n}`, quantity: 1, totalMinor: 900 }],
      timestamp: readAt(lastDay),
    }),
  );
