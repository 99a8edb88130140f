import type { SentEvent } from './recompute-invoices.ts';

/**
 * What each affiliate is owed, as it follows from the orders and refunds that were sent, reckoned without any of the system's
 * code.
 */
export interface AffiliateTerms {
  affiliateId: string;
  commissionPpm: number;
  /** Which customer it is, as a keyed hash in hexadecimal. */
  customer: string | null;
}

export interface ProgramTerms {
  windowDays: number;
  rule: 'last_click' | 'first_click';
  affiliates: readonly AffiliateTerms[];
}

export type HashOfCustomer = (merchantId: string, customer: string) => string;

interface Order {
  amount: bigint;
  currency: string;
  affiliateId: string | undefined;
  commission: bigint;
}

const instant = (value: unknown): number => (typeof value === 'string' ? Date.parse(value) : Number.NaN);
const whole = (value: unknown): bigint => (typeof value === 'number' ? BigInt(value) : 0n);

/** Half up; nothing here is negative. */
const share = (amount: bigint, numerator: bigint, denominator: bigint): bigint =>
  (2n * amount * numerator + denominator) / (2n * denominator);

/**
 * Minor units by `merchant affiliate currency`: commissions less what refunds took back. Events in the order in which they
 * were sent; of several about one order or refund the first counts. Clicks are those that the events carry.
 * @param hashOf the keyed hash, in hexadecimal, of a customer of a merchant
 */
export function recomputeCommissions(
  events: readonly SentEvent[],
  programs: ReadonlyMap<string, ProgramTerms>,
  hashOf: HashOfCustomer,
): Map<string, number> {
  const orders = new Map<string, Order>();
  const refunds = new Map<string, Map<string, bigint>>();
  for (const { eventId, eventType, merchantId, payload } of events) {
    if (eventType !== 'AffiliateConversionAttributionRequiredEvent') continue;
    const key = JSON.stringify([merchantId, payload['orderId']]);
    if (payload['conversionType'] === 'refund') {
      const known = refunds.get(key) ?? new Map<string, bigint>();
      const refundId = typeof payload['refundId'] === 'string' ? payload['refundId'] : eventId;
      if (!known.has(refundId)) known.set(refundId, whole(payload['amountMinor']));
      refunds.set(key, known);
    } else if (!orders.has(key))
      orders.set(
        key,
        orderOf(payload, programs.get(merchantId), (customer) => hashOf(merchantId, customer)),
      );
  }
  const owed = new Map<string, number>();
  for (const [key, { amount, currency, affiliateId, commission }] of orders) {
    if (affiliateId === undefined) continue;
    const [merchantId] = JSON.parse(key) as [string]; // written above
    const refunded = [...(refunds.get(key)?.values() ?? [])].reduce((sum, each) => sum + each, 0n);
    const capped = refunded > amount ? amount : refunded;
    const kept = commission - (amount === 0n ? 0n : share(commission, capped, amount));
    const account = `${merchantId} ${affiliateId} ${currency}`;
    owed.set(account, (owed.get(account) ?? 0) + Number(kept));
  }
  return owed;
}

const DAY_MS = 86_400_000;

function orderOf(
  payload: SentEvent['payload'],
  program: ProgramTerms | undefined,
  hashOf: (customer: string) => string,
): Order {
  const amount = whole(payload['amountMinor']);
  const nobody = {
    amount,
    currency: typeof payload['currency'] === 'string' ? payload['currency'] : '',
    affiliateId: undefined,
    commission: 0n,
  };
  if (program === undefined || !Array.isArray(payload['touchpoints'])) return nobody;
  const ordered = instant(payload['timestamp']);
  let best: { at: number; terms: AffiliateTerms } | undefined;
  for (const touch of payload['touchpoints'] as readonly Record<string, unknown>[]) {
    const at = instant(touch['clickedAt']);
    const terms = program.affiliates.find(({ affiliateId }) => affiliateId === touch['affiliateId']);
    if (terms === undefined || at > ordered || ordered - at > program.windowDays * DAY_MS) continue;
    const later = best === undefined ? true : program.rule === 'last_click' ? at > best.at : at < best.at;
    const tie = best !== undefined && at === best.at && terms.affiliateId < best.terms.affiliateId;
    if (later || tie) best = { at, terms };
  }
  if (best === undefined) return nobody;
  const { affiliateId, commissionPpm, customer } = best.terms;
  const orderedBy = payload['customerRef'];
  if (customer !== null && typeof orderedBy === 'string' && customer === hashOf(orderedBy)) return nobody;
  return { ...nobody, affiliateId, commission: share(amount, BigInt(commissionPpm), 1_000_000n) };
}
