import { Writable } from 'node:stream';
import winston from 'winston';
import type { Log } from '../runtime/log.ts';

/** A log whose lines a test can read. */
export function captureLog(): { log: Log; lines: Readonly<Record<string, unknown>>[] } {
  const lines: Readonly<Record<string, unknown>>[] = [];
  const stream = new Writable({
    objectMode: true,
    write(line: Readonly<Record<string, unknown>>, _encoding, written) {
      lines.push(line);
      written();
    },
  });
  return {
    log: winston.createLogger({ level: 'debug', transports: [new winston.transports.Stream({ stream })] }),
    lines,
  };
}
