/** A figure of a network, of one merchant and day; `path` names campaign, ad set and ad, empty where it is of the whole. */
export interface Reading {
  path: readonly [campaign: string, adSet: string, ad: string];
  currency: string;
}

/**
 * The readings of one merchant, day and network that count, so that nothing does twice: of a campaign the whole, else its ad
 * sets, else their ads; and of the account what it spent in a currency in which nothing of that is.
 */
export function countOnce<R extends Reading>(readings: readonly R[]): R[] {
  const isAccount = ({ path }: R): boolean => path.every((name) => name === '');
  const parts = readings.filter((reading) => !isAccount(reading));
  const counted = [...Map.groupBy(parts, ({ path }) => path[0]).values()].flatMap((campaign) => wholesOf(campaign, 1));
  const currencies = new Set(counted.map(({ currency }) => currency));
  return [...counted, ...readings.filter((reading) => isAccount(reading) && !currencies.has(reading.currency))];
}

/** The reading of the whole where there is one, else those of its parts, down to the ad. */
function wholesOf<R extends Reading>(readings: readonly R[], level: 1 | 2 | 3): R[] {
  const whole = readings.filter(({ path }) => path.slice(level).every((name) => name === ''));
  if (whole.length > 0 || level === 3) return whole;
  const next = level === 1 ? 2 : 3;
  return [...Map.groupBy(readings, ({ path }) => path[level]).values()].flatMap((group) => wholesOf(group, next));
}
