import { randomText } from './random.ts';

/**
 * Trace context travels in the envelope as a W3C `traceparent`. What arrives without one, or with something else in its
 * place, gets a new trace, so that every log line of an event carries a trace id.
 */
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;
const XRAY_ROOT = /Root=1-([0-9a-f]{8})-([0-9a-f]{24})/;

export const newTraceparent = (): string => `00-${randomText(16, 'hex')}-${randomText(8, 'hex')}-01`;

/** Accepts a traceparent, a bare 32-digit trace id, or an X-Ray header, and gives a traceparent. */
export function toTraceparent(value: string | undefined): string {
  if (value === undefined) return newTraceparent();
  if (TRACEPARENT.test(value)) return value;
  const span = randomText(8, 'hex');
  if (/^[0-9a-f]{32}$/.test(value)) return `00-${value}-${span}-01`;
  const xray = XRAY_ROOT.exec(value);
  return xray ? `00-${xray[1] ?? ''}${xray[2] ?? ''}-${span}-01` : newTraceparent();
}

export const traceIdOf = (traceparent: string): string => traceparent.slice(3, 35);
