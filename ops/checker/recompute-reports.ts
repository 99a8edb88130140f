import { type Reading, countOnce } from './count-once.ts';
import type { SentEvent } from './recompute-invoices.ts';
import { compareFigures, type Report } from './report-money.ts';

/**
 * Spend and revenue as they follow from the events that were sent, in any order and however often, reckoned without any of
 * the system's code. Micros by `merchant day network currency` for spend, minor units by `merchant network currency` for
 * revenue; an order that no ad brought has network `-`.
 */
export interface ReportFigures {
  spend: Map<string, number>;
  /** Micros of each ad set and ad by `merchant day network campaign adset ad currency`, `-` for what a figure does not name. */
  adSpend: Map<string, number>;
  revenue: Map<string, number>;
}

export interface Windows {
  clickDays: number;
  viewDays: number;
}

const DAY_MS = 86_400_000;

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const whole = (value: unknown): number => (typeof value === 'number' ? value : 0);
const fields = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? { ...value } : {};
const add = (sums: Map<string, number>, key: string, amount: number) => sums.set(key, (sums.get(key) ?? 0) + amount);

/** The newest of each key: by its time, then by its id as bytes. */
function newestOf(events: readonly SentEvent[], eventType: string, keyOf: (event: SentEvent) => unknown): SentEvent[] {
  const newest = new Map<string, SentEvent>();
  const position = ({ payload }: SentEvent) => Date.parse(text(payload['timestamp']));
  for (const event of events) {
    if (event.eventType !== eventType) continue;
    const key = JSON.stringify(keyOf(event));
    const known = newest.get(key);
    const difference = known === undefined ? 1 : position(event) - position(known);
    const isNewer =
      difference > 0 ||
      (difference === 0 && Buffer.compare(Buffer.from(event.eventId), Buffer.from(known?.eventId ?? '')) > 0);
    if (isNewer) newest.set(key, event);
  }
  return [...newest.values()];
}

export function recomputeReports(
  events: readonly SentEvent[],
  windowsOf: (merchantId: string) => Windows = () => ({ clickDays: 7, viewDays: 1 }),
): ReportFigures {
  return {
    spend: recomputeSpend(events),
    adSpend: recomputeAdSpend(events),
    revenue: recomputeRevenue(events, windowsOf),
  };
}

const newestReadings = (events: readonly SentEvent[]): SentEvent[] =>
  newestOf(events, 'AdPerformanceDataIngestedEvent', ({ merchantId, payload }) => [
    merchantId,
    ...['reportDate', 'adNetworkId', 'campaignId', 'adSetId', 'adId'].map((name) => payload[name] ?? ''),
  ]);

function recomputeAdSpend(events: readonly SentEvent[]): Map<string, number> {
  const spend = new Map<string, number>();
  for (const { merchantId, payload } of newestReadings(events)) {
    if (text(payload['adSetId']) + text(payload['adId']) === '') continue;
    const metrics = fields(payload['metricsPayload']);
    const names = ['campaignId', 'adSetId', 'adId'].map((name) => text(payload[name]) || '-');
    const key = [merchantId, payload['reportDate'], payload['adNetworkId'], ...names, metrics['currency']].join(' ');
    add(spend, key, whole(metrics['spendMicros']));
  }
  return spend;
}

function recomputeSpend(events: readonly SentEvent[]): Map<string, number> {
  const readings = newestReadings(events).map(
    ({ merchantId, payload }): Reading & { account: string; spend: number } => {
      const metrics = fields(payload['metricsPayload']);
      return {
        account: `${merchantId} ${text(payload['reportDate'])} ${text(payload['adNetworkId'])}`,
        path: [text(payload['campaignId']), text(payload['adSetId']), text(payload['adId'])],
        currency: text(metrics['currency']),
        spend: whole(metrics['spendMicros']),
      };
    },
  );
  const spend = new Map<string, number>();
  for (const [account, group] of Map.groupBy(readings, (reading) => reading.account))
    for (const reading of countOnce(group)) add(spend, `${account} ${reading.currency}`, reading.spend);
  return spend;
}

function recomputeRevenue(
  events: readonly SentEvent[],
  windowsOf: (merchantId: string) => Windows,
): Map<string, number> {
  const revenue = new Map<string, number>();
  const orders = newestOf(events, 'OrderDataAttributedToAdEvent', (event) => [
    event.merchantId,
    event.payload['orderId'],
  ]);
  for (const { merchantId, payload } of orders) {
    const left = payload['status'] === 'cancelled' ? 0 : whole(payload['totalMinor']) - whole(payload['refundedMinor']);
    const network = networkOf(payload, windowsOf(merchantId));
    add(revenue, `${merchantId} ${network} ${text(payload['currency'])}`, left);
  }
  return revenue;
}

function networkOf(payload: Record<string, unknown>, { clickDays, viewDays }: Windows): string {
  const ordered = Date.parse(text(payload['orderedAt']));
  const touches = (Array.isArray(payload['touches']) ? payload['touches'] : []).map(fields);
  for (const [kind, days] of [
    ['click', clickDays],
    ['view', viewDays],
  ] as const) {
    let best: { at: number; name: string; network: string } | undefined;
    for (const touch of touches) {
      const at = Date.parse(text(touch['at']));
      if (touch['kind'] !== kind || at > ordered || ordered - at > days * DAY_MS) continue;
      const network = text(touch['adNetworkId']);
      const name = `${network}/${text(touch['campaignId'])}`;
      const isLater =
        best === undefined ||
        at > best.at ||
        (at === best.at && Buffer.compare(Buffer.from(name), Buffer.from(best.name)) > 0);
      if (isLater) best = { at, name, network };
    }
    if (best !== undefined) return best.network;
  }
  return '-';
}

/** Spend and revenue beside what the sent events come to, and what they come to as a return on spend, by currency. */
export function reportAds(
  events: readonly SentEvent[],
  held: ReportFigures,
  windowsOf?: (merchantId: string) => Windows,
): Record<'spend' | 'adSpend' | 'revenue' | 'roasMinorPerMillionMicros', Report> {
  const recomputed = recomputeReports(events, windowsOf);
  const spend = compareFigures(held.spend, recomputed.spend);
  const revenue = compareFigures(held.revenue, recomputed.revenue);
  return {
    spend,
    adSpend: compareFigures(held.adSpend, recomputed.adSpend),
    revenue,
    roasMinorPerMillionMicros: {
      ours: returns(revenue.ours, spend.ours),
      recomputed: returns(revenue.recomputed, spend.recomputed),
      match: spend.match && revenue.match,
      differences: [],
    },
  };
}

/** Minor units of revenue for each million micros of spend, to six digits; currencies without spend are left out. */
const returns = (revenue: Record<string, number>, spend: Record<string, number>): Record<string, number> =>
  Object.fromEntries(
    Object.entries(spend)
      .filter(([, micros]) => micros > 0)
      .map(([currency, micros]) => [currency, Number((((revenue[currency] ?? 0) / micros) * 1_000_000).toFixed(6))]),
  );
