import { type Reading, countOnce } from './count-once.ts';

/**
 * Invoices as they follow from the events that were sent, reckoned without any of the system's code: fractions are exact
 * and rounded where a price list says so. Input is plain data, so that a report can compare.
 */
export interface SentEvent {
  eventId: string;
  eventType: string;
  merchantId: string;
  payload: Readonly<Record<string, unknown>>;
}

export interface PriceList {
  planId: string;
  currency: string;
  baseFeeMinor: number;
  includedClicks: number;
  clickThousandMinor: number;
  spendFeePpm: number;
}

/** A merchant's plans by the day from which each holds; null is none. */
export type PlanHistory = readonly { fromDay: string; plan: PriceList | null }[];

interface Figure extends Reading {
  day: string;
  network: string;
  clicks: bigint;
  spend: bigint;
  newest: string;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const whole = (value: unknown): bigint =>
  typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : 0n;

/** The newest report of each day, network, campaign, ad set and ad: by time, then by event id. */
function newestFigures(events: readonly SentEvent[]): Map<string, Figure[]> {
  const newest = new Map<string, Figure & { merchantId: string }>();
  for (const { eventId, eventType, merchantId, payload } of events) {
    if (eventType !== 'AdPerformanceDataIngestedEvent') continue;
    const { adNetworkId, reportDate, campaignId, adSetId, adId, metricsPayload, timestamp } = payload;
    if (typeof metricsPayload !== 'object' || metricsPayload === null) continue;
    const metrics: Record<string, unknown> = { ...metricsPayload };
    const key = JSON.stringify([merchantId, reportDate, adNetworkId, campaignId ?? '', adSetId ?? '', adId ?? '']);
    const order = `${new Date(text(timestamp)).toISOString()} ${eventId}`;
    if ((newest.get(key)?.newest ?? '') >= order) continue;
    newest.set(key, {
      merchantId,
      day: text(reportDate),
      network: text(adNetworkId),
      path: [text(campaignId), text(adSetId), text(adId)],
      currency: text(metrics['currency']),
      clicks: whole(metrics['clicks']),
      spend: whole(metrics['spendMicros']),
      newest: order,
    });
  }
  return Map.groupBy(newest.values(), ({ merchantId }) => merchantId);
}

/** Half away from zero; both positive here. */
const rounded = (numerator: bigint, denominator: bigint): bigint => (2n * numerator + denominator) / (2n * denominator);

/** Minor units per million millionths, written down apart from the system's own table. */
const minorDigits = (currency: string): number => {
  if (/^(BIF|CLP|DJF|GNF|ISK|JPY|KMF|KRW|PYG|RWF|UGX|UYI|VND|VUV|XAF|XOF|XPF)$/.test(currency)) return 0;
  return /^(BHD|IQD|JOD|KWD|LYD|OMR|TND)$/.test(currency) ? 3 : 2;
};

/**
 * Totals by `merchant period currency`, in minor units, of every billing cycle that was sent.
 * @param plansOf what each merchant had; merchants without any entry have `standard`
 */
export function recomputeInvoices(
  events: readonly SentEvent[],
  plansOf: ReadonlyMap<string, PlanHistory>,
  standard: PriceList,
): Map<string, number> {
  const figures = newestFigures(events);
  const totals = new Map<string, number>();
  const cycles = new Set(
    events.flatMap(({ eventType, merchantId, payload }) =>
      eventType === 'BillingCycleEvent' ? [JSON.stringify([merchantId, payload['billingPeriod']])] : [],
    ),
  );
  for (const cycle of cycles) {
    const [merchantId, period] = JSON.parse(cycle) as [string, string]; // written some lines above
    const plans = plansOf.get(merchantId) ?? [{ fromDay: '0000-00-00', plan: standard }];
    const within = (figures.get(merchantId) ?? []).filter(({ day }) => day.startsWith(`${period}-`));
    const accounts = Map.groupBy(within, ({ day, network }) => `${day} ${network}`);
    const counted = [...accounts.values()].flatMap((account) => countOnce(account));
    for (const [currency, minor] of periodTotals(plans, period, counted))
      if (minor !== 0n) totals.set(`${merchantId} ${period} ${currency}`, Number(minor));
  }
  return totals;
}

function periodTotals(plans: PlanHistory, period: string, figures: readonly Figure[]): Map<string, bigint> {
  const [year, month] = period.split('-').map(Number);
  const days = new Date(Date.UTC(year ?? 0, month ?? 0, 0)).getUTCDate();
  const totals = new Map<string, bigint>();
  const add = (currency: string, minor: bigint) => totals.set(currency, (totals.get(currency) ?? 0n) + minor);
  let last: PriceList | undefined;
  const feeDays = new Map<string, bigint>();
  for (let day = 1; day <= days; day++) {
    const date = `${period}-${String(day).padStart(2, '0')}`;
    const held = [...plans].filter(({ fromDay }) => fromDay <= date).sort((a, b) => a.fromDay.localeCompare(b.fromDay));
    const plan = held.at(-1)?.plan;
    if (plan === undefined || plan === null) continue;
    last = plan;
    feeDays.set(plan.currency, (feeDays.get(plan.currency) ?? 0n) + BigInt(plan.baseFeeMinor));
  }
  if (last === undefined) return totals;
  for (const [currency, sum] of feeDays) add(currency, rounded(sum, BigInt(days)));
  const clicks = figures.reduce((sum, figure) => sum + figure.clicks, 0n) - BigInt(last.includedClicks);
  if (clicks > 0n) add(last.currency, ((clicks + 999n) / 1_000n) * BigInt(last.clickThousandMinor));
  const spent = new Map<string, bigint>();
  for (const { currency, spend } of figures) spent.set(currency, (spent.get(currency) ?? 0n) + spend);
  for (const [currency, micros] of spent)
    add(currency, rounded(micros * BigInt(last.spendFeePpm), 1_000_000n * 10n ** BigInt(6 - minorDigits(currency))));
  return totals;
}
