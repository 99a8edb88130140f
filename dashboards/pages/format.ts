import type { HtmlEscapedString } from 'hono/utils/html';

/** What a template takes and gives: everything interpolated is escaped. */
export type Markup = HtmlEscapedString | Promise<HtmlEscapedString>;

const numbers = new Intl.NumberFormat('en-US');

export const count = (value: number, partial = false): string => `${partial ? '≥ ' : ''}${numbers.format(value)}`;

const steps = [
  { unit: 'd', ms: 86_400_000 },
  { unit: 'h', ms: 3_600_000 },
  { unit: 'min', ms: 60_000 },
] as const;

/** `4.2 s`, `3 min`, `5 h`: one unit, since it is read at a glance. */
export function span(ms: number): string {
  const positive = Math.max(0, ms);
  const step = steps.find((candidate) => positive >= candidate.ms);
  if (step !== undefined) return `${numbers.format(Math.floor(positive / step.ms))} ${step.unit}`;
  return positive >= 10_000 ? `${Math.floor(positive / 1_000)} s` : `${(positive / 1_000).toFixed(1)} s`;
}

export const ago = (at: Date | null, now: Date): string =>
  at === null ? '–' : `${span(now.getTime() - at.getTime())} ago`;

export function due(at: Date | null, now: Date): string {
  if (at === null) return '–';
  const ms = at.getTime() - now.getTime();
  return ms <= 0 ? `now (due ${span(-ms)})` : `in ${span(ms)}`;
}

/** UTC to the second, the way log lines show it. */
export const moment = (at: Date): string => at.toISOString().slice(0, 19).replace('T', ' ');

/** An id that consists of dots only would vanish from a path, so it travels in the query. */
export function merchantPath(merchantId: string): string {
  const encoded = encodeURIComponent(merchantId.toWellFormed());
  return /^\.{1,2}$/.test(merchantId) ? `/merchants?id=${encoded}` : `/merchants/${encoded}`;
}

export const deadLettersPath = (filter: { handler?: string; merchantId?: string }): string => {
  const query = new URLSearchParams();
  if (filter.handler !== undefined) query.set('handler', filter.handler);
  if (filter.merchantId !== undefined) query.set('merchant', filter.merchantId);
  return `/dead-letters?${query.toString()}`;
};

export const searchPath = (text: string): string => `/search?${new URLSearchParams({ q: text }).toString()}`;
