import winston from 'winston';
import type { Clock } from './clock.ts';

export type Log = winston.Logger;

/**
 * One JSON object a line on stdout, the shape CloudWatch Logs Insights reads. Fields that belong to every line of a
 * component are given once with `log.child({ … })`. Never log a payload: it may be about a person.
 */
export function createLog(service: string, level: string): Log {
  return winston.createLogger({
    level,
    defaultMeta: { service, pid: process.pid },
    format: winston.format.combine(
      winston.format.timestamp(),
      winston.format.errors({ stack: true }),
      winston.format.json(),
    ),
    transports: [new winston.transports.Console({ forceConsole: false, stderrLevels: [] })],
  });
}

export const silentLog: Log = winston.createLogger({ silent: true, transports: [new winston.transports.Console()] });

/**
 * A condition that is true for a while is said when it starts and when it ends, not each time it is met.
 * `failing(error)` logs the first of a row, `ok()` the recovery with how often it failed.
 */
export function onceWhileFailing(log: Log, what: string): { failing: (error: unknown) => void; ok: () => void } {
  let failures = 0;
  return {
    failing(error) {
      failures += 1;
      if (failures === 1) {
        const message = error instanceof Error ? error.message : String(error);
        log.warn(`${what}: failing, will keep trying`, { error: message });
      }
    },
    ok() {
      if (failures > 0) log.info(`${what}: working again`, { failures });
      failures = 0;
    },
  };
}

/**
 * What many may meet again and again is said at once, then at most every `everyMs`, with how often it was met since it was
 * last said and what the latest was about.
 */
export function nowAndThen(
  log: Log,
  what: string,
  { everyMs, clock }: { everyMs: number; clock: Pick<Clock, 'now'> },
): (about: Readonly<Record<string, unknown>>) => void {
  let saidAt = Number.NEGATIVE_INFINITY;
  let times = 0;
  return (about) => {
    times += 1;
    const now = clock.now();
    if (now - saidAt < everyMs) return;
    log.warn(what, { ...about, times });
    saidAt = now;
    times = 0;
  };
}
