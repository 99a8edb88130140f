import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { stripComments } from './strip-comments.ts';

const docs = join(import.meta.dirname, '../docs');

interface Hazard {
  heading: string;
  links: { title: string; file: string }[];
  reason: boolean;
}

const hazards: Hazard[] = readFileSync(join(docs, 'hazards.md'), 'utf8')
  .split(/^## /m)
  .slice(1)
  .map((section) => ({
    heading: section.split(' ', 1)[0] ?? '',
    links: [...section.matchAll(/^- \[([^\]]+)\]\(([^)]+)\)/gms)].map(([, title = '', file = '']) => ({
      title: title.replaceAll(/\s+/g, ' '),
      file,
    })),
    reason: /^No test: \w/m.test(section),
  }));

/** As it stands in the source: a title may be quoted in any way that formatting chooses. */
const hasTest = (source: string, title: string): boolean =>
  ["'", '"', '`'].some((quote) => source.includes(`test(${quote}${title.replaceAll(quote, `\\${quote}`)}${quote},`));

test('every hazard has an entry, in order, with its tests or the reason why it has none', () => {
  assert.equal(
    hazards.map(({ heading }) => heading),
    Array.from({ length: 38 }, (_, i) => `H${i + 1}`),
  );
  for (const { heading, links, reason } of hazards) assert.is(links.length > 0, !reason, heading);
});

test('every test that a hazard names exists under exactly that title', () => {
  const missing = hazards.flatMap(({ heading, links }) =>
    links.flatMap(({ title, file }) => {
      const path = join(docs, file);
      const found = existsSync(path) && hasTest(stripComments(readFileSync(path, 'utf8')), title);
      return found ? [] : [`${heading}: ${file}: ${title}`];
    }),
  );
  assert.equal(missing, []);
  assert.not.ok(hasTest(`test('another title',`, 'a title'));
});

test.run();
