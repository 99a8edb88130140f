import { appendFileSync, existsSync, mkdirSync, readFileSync, truncateSync } from 'node:fs';
import { dirname } from 'node:path';
import type { z } from 'zod';

/** A file of JSON lines that is only ever appended to. What `append` returned from survives a kill -9 of this process. */
export interface Journal<T> {
  readonly entries: readonly T[];
  append(entry: T): void;
}

/** Reads what earlier runs wrote. A last line cut short by a kill is dropped; a broken line elsewhere throws. */
export function openJournal<T>(file: string, schema: z.ZodType<T>): Journal<T> {
  mkdirSync(dirname(file), { recursive: true });
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  if (whole.length < text.length) truncateSync(file, Buffer.byteLength(whole));
  const entries = whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => schema.parse(JSON.parse(line)));
  return {
    entries,
    append(entry) {
      appendFileSync(file, `${JSON.stringify(entry)}\n`);
      entries.push(entry);
    },
  };
}
