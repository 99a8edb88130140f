import type { Clock } from './clock.ts';
import { type Log, onceWhileFailing } from './log.ts';

export interface OtlpReports {
  start(): void;
  /** Sends what is left. */
  stop(): Promise<void>;
}

export interface OtlpReportOptions {
  /** Base URL of an OTLP receiver. */
  endpoint: string;
  signal: 'metrics' | 'traces';
  clock: Clock;
  log: Log;
  everyMs: number;
  /** What has gathered since it was last asked; undefined when nothing has. */
  gather: () => object | undefined;
}

const SEND_DEADLINE_MS = 5_000;

/**
 * Sends what gathers to a collector every `everyMs`. When it does not answer, a period's figures are lost, and the process goes on:
 * nothing is kept for it, and nothing waits for it.
 */
export function reportByOtlp({ endpoint, signal, clock, log, everyMs, gather }: OtlpReportOptions): OtlpReports {
  const url = new URL(`/v1/${signal}`, endpoint);
  const stopping = new AbortController();
  const trouble = onceWhileFailing(log, `sending ${signal}`);
  let loop: Promise<void> = Promise.resolve();

  const send = async () => {
    const report = gather();
    if (report === undefined) return;
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(report),
        signal: AbortSignal.timeout(SEND_DEADLINE_MS),
      });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`the collector answered with ${response.status}`);
      trouble.ok();
    } catch (error) {
      trouble.failing(error);
    }
  };

  return {
    start() {
      loop = (async () => {
        while (!stopping.signal.aborted) {
          await clock.sleep(everyMs, stopping.signal);
          await send();
        }
      })();
    },
    async stop() {
      stopping.abort();
      await loop;
      await send();
    },
  };
}
