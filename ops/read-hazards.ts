import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './local/data-folder.ts';

/** One of docs/hazards.md. */
export interface Hazard {
  /** `H1` */
  name: string;
  /** Titles of tests, and their files relative to the root. */
  tests: { title: string; file: string }[];
  /** Whether it says why it has no test. */
  reason: boolean;
}

export function readHazards(): Hazard[] {
  return readFileSync(join(projectRoot, 'docs/hazards.md'), 'utf8')
    .split(/^## /m)
    .slice(1)
    .map((section) => ({
      name: section.split(' ', 1)[0] ?? '',
      tests: [...section.matchAll(/^- \[([^\]]+)\]\(([^)]+)\)/gms)].map(([, title = '', link = '']) => ({
        title: title.replaceAll(/\s+/g, ' '),
        file: join('docs', link),
      })),
      reason: /^No test: \w/m.test(section),
    }));
}

/** How a test of this title begins in the source, which may quote it in any way that formatting chooses; undefined: nowhere. */
export const findTest = (source: string, title: string): string | undefined =>
  ["'", '"', '`']
    .map((quote) => `test(${quote}${title.replaceAll(quote, `\\${quote}`)}${quote},`)
    .find((beginning) => source.includes(beginning));
