import { createHash } from 'node:crypto';
import { type Figures, daysBetween, figuresOf } from './figures.ts';
import { type ObjectStore, type Owner, type StoredObject, lineageOf } from './object-store.ts';

export interface AdDay {
  ad: StoredObject;
  campaignId: string;
  date: string;
  figures: Figures;
}

/**
 * Days of all ads of an account since they were made. The ads of a campaign share its figures of the day out among them, to
 * the last impression.
 */
export function adDays(
  store: Pick<ObjectStore, 'get' | 'list'>,
  owner: Owner,
  { from, to }: { from: string; to: string },
  nowMs: number,
): AdDay[] {
  const ads = store.list(owner, 'ad').map((ad) => ({
    ad,
    campaignId: lineageOf(store, ad).find(({ kind }) => kind === 'campaign')?.id ?? '',
    since: new Date(ad.createdAtMs).toISOString().slice(0, 10),
  }));
  const days = daysBetween(from, to, nowMs);
  return [...Map.groupBy(ads, ({ campaignId }) => campaignId)].flatMap(([campaignId, own]) =>
    days.flatMap((date) => {
      const running = own.filter(({ since }) => since <= date).map(({ ad }) => ad);
      const whole = figuresOf(owner.network, campaignId, date, nowMs);
      return share(whole, running, date).map(({ ad, figures }) => ({ ad, campaignId, date, figures }));
    }),
  );
}

/** By weights that follow from ad and day; the last ad has what rounding leaves. */
function share(whole: Figures, ads: readonly StoredObject[], date: string): { ad: StoredObject; figures: Figures }[] {
  const weights = ads.map(({ id }) => 1 + createHash('sha256').update(`${id}\n${date}`).digest().readUInt8(0));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const split = (amount: number): number[] => {
    const parts = weights.map((weight) => Math.floor((amount * weight) / total));
    const given = parts.slice(0, -1).reduce((sum, part) => sum + part, 0);
    return [...parts.slice(0, -1), amount - given];
  };
  const impressions = split(whole.impressions);
  const clicks = split(whole.clicks);
  const conversions = split(whole.conversions);
  const spend = split(whole.spendMicros);
  return ads.map((ad, n) => ({
    ad,
    figures: {
      impressions: impressions[n] ?? 0,
      clicks: clicks[n] ?? 0,
      conversions: conversions[n] ?? 0,
      spendMicros: spend[n] ?? 0,
    },
  }));
}
