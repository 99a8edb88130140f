import { DAY_MS } from '../../runtime/clock.ts';
import type { AdTouch } from './events.ts';

/** For how long after it a click or a view may claim an order. */
export interface AttributionWindows {
  clickDays: number;
  viewDays: number;
}

/** What Meta and TikTok count by when nobody chooses otherwise. */
export const defaultWindows: AttributionWindows = { clickDays: 7, viewDays: 1 };

/**
 * The ad that an order is attributed to: the last click within its window, else the last view within its own. Touches
 * after the order claim nothing. Of two at one moment the greater name wins, so that their order does not matter.
 */
export function chooseTouch(
  touches: readonly AdTouch[],
  orderedAt: string,
  { clickDays, viewDays }: AttributionWindows,
): AdTouch | undefined {
  const orderedMs = Date.parse(orderedAt);
  const last = (kind: AdTouch['kind'], days: number): AdTouch | undefined =>
    touches
      .filter((touch) => touch.kind === kind)
      .filter(({ at }) => Date.parse(at) <= orderedMs && orderedMs - Date.parse(at) <= days * DAY_MS)
      .toSorted(byRecency)
      .at(-1);
  return last('click', clickDays) ?? last('view', viewDays);
}

const nameOf = ({ adNetworkId, campaignId }: AdTouch): string => `${adNetworkId}/${campaignId}`;

const byRecency = (a: AdTouch, b: AdTouch): number =>
  Date.parse(a.at) - Date.parse(b.at) || Buffer.compare(Buffer.from(nameOf(a)), Buffer.from(nameOf(b)));
