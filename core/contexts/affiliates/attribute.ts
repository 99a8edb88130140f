import { DAY_MS } from '../../runtime/clock.ts';
import { scaled } from '../../money/apportion.ts';
import type { AttributionRule } from './tables.ts';
import type { Keyring } from '../../people/keyring.ts';
import { requireKeyring } from '../../people/sealed-values.ts';

export interface Affiliate {
  affiliateId: string;
  name: string;
  commissionPpm: number;
  /** Which customer it is, as a keyed hash. */
  customerSubject: Buffer | null;
  /** The same in clear, of rows of earlier releases. */
  customerRef: string | null;
}

export interface Click {
  affiliateId: string;
  clickedAtMs: number;
}

export interface Program {
  windowDays: number;
  rule: AttributionRule;
}

export const defaultProgram: Program = { windowDays: 30, rule: 'last_click' };

const MILLION = 1_000_000n;

/**
 * Who brought an order: the affiliate of the last, or first, click before it within the window. Of two clicks at one moment
 * the affiliate that comes first by id, so that the answer never depends on their order. Pure.
 */
export function attribute(
  clicks: readonly Click[],
  affiliates: ReadonlyMap<string, Affiliate>,
  orderedAtMs: number,
  { windowDays, rule }: Program,
): Affiliate | undefined {
  const eligible = clicks.filter(
    ({ affiliateId, clickedAtMs }) =>
      affiliates.has(affiliateId) && clickedAtMs <= orderedAtMs && clickedAtMs >= orderedAtMs - windowDays * DAY_MS,
  );
  const direction = rule === 'last_click' ? -1 : 1;
  const [chosen] = eligible.toSorted((a, b) =>
    a.clickedAtMs === b.clickedAtMs
      ? a.affiliateId < b.affiliateId
        ? -1
        : 1
      : direction * (a.clickedAtMs - b.clickedAtMs),
  );
  return chosen === undefined ? undefined : affiliates.get(chosen.affiliateId);
}

/** Whether an affiliate and the customer of an order are the same person. */
export function isOwnOrder(
  { customerSubject, customerRef }: Pick<Affiliate, 'customerSubject' | 'customerRef'>,
  order: { merchantId: string; customerRef: string | undefined },
  keyring: Keyring | undefined,
): boolean {
  if (order.customerRef === undefined) return false;
  if (customerSubject === null) return customerRef === order.customerRef;
  return requireKeyring(keyring).pseudonym(order.merchantId, order.customerRef).equals(customerSubject);
}

/** Rounded half up to the minor unit. */
export const commissionOf = (amountMinor: number, ppm: number): number =>
  scaled(BigInt(amountMinor), BigInt(ppm), MILLION);

/**
 * How much of a commission is to be taken back, all refunds together: its share of what was refunded, and never more than
 * the commission. From the sum and not from each refund, so that rounding does not add up and their order does not matter.
 */
export function clawbackOf(commissionMinor: number, amountMinor: number, refundedMinor: number): number {
  if (amountMinor === 0) return 0;
  const refunded = Math.min(refundedMinor, amountMinor);
  return scaled(BigInt(commissionMinor), BigInt(refunded), BigInt(amountMinor));
}
