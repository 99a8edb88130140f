import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import { otlpSpans } from './otlp.ts';
import { randomText } from './random.ts';
import { reportByOtlp } from './report-by-otlp.ts';

/** What happened to an event, from when to when, as part of the trace that its envelope carries. */
export interface Span {
  name: string;
  /** W3C; its span is the parent. */
  traceparent: string;
  fromMs: number;
  toMs: number;
  failed: boolean;
  attributes: Readonly<Record<string, string>>;
}

export interface Spans {
  /** Whether such a span would be kept: to be asked before one is made, since nearly none is. */
  keeps(span: Pick<Span, 'traceparent' | 'failed'>): boolean;
  record(span: Span): void;
  start(): void;
  /** Sends what is left. */
  stop(): Promise<void>;
}

export interface SpansOptions {
  /** Base URL of an OTLP receiver; undefined: nothing is kept or sent. */
  endpoint: string | undefined;
  /** Name of the process. */
  service: string;
  clock: Clock;
  log: Log;
  everyMs?: number;
}

/** One trace of a hundred: X-Ray is paid by the trace. Every process keeps the same ones, since the trace's id decides. */
const KEPT = 0.01;
/** A period's most: what failed comes unsampled, and may be everything. */
const MAX_SPANS = 500;

/** Spans of a share of all traces, and of everything that failed, sent to a collector by OTLP. */
export function createSpans({ endpoint, service, clock, log, everyMs = 15_000 }: SpansOptions): Spans {
  if (endpoint === undefined) return silentSpans;
  let kept: (Span & { id: string })[] = [];
  const gather = () => {
    const sent = kept;
    kept = [];
    return sent.length === 0 ? undefined : otlpSpans(service, sent);
  };
  const keeps: Spans['keeps'] = ({ traceparent, failed }) => (failed || isKept(traceparent)) && kept.length < MAX_SPANS;
  return {
    keeps,
    record(span) {
      if (keeps(span)) kept.push({ ...span, id: randomText(8, 'hex') });
    },
    ...reportByOtlp({ endpoint, signal: 'traces', clock, log, everyMs, gather }),
  };
}

/** By the last 32 bits of the trace's id, which are random whoever made it. */
export const isKept = (traceparent: string): boolean => Number.parseInt(traceparent.slice(27, 35), 16) < KEPT * 2 ** 32;

export const silentSpans: Spans = {
  keeps: () => false,
  record: () => undefined,
  start: () => undefined,
  stop: () => Promise.resolve(),
};
