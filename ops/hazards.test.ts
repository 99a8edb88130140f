import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { projectRoot } from './local/data-folder.ts';
import { findTest, readHazards } from './read-hazards.ts';
import { stripComments } from './strip-comments.ts';

const hazards = readHazards();

test('every hazard has an entry, in order, with its tests or the reason why it has none', () => {
  assert.equal(
    hazards.map(({ name }) => name),
    Array.from({ length: 38 }, (_, i) => `H${i + 1}`),
  );
  for (const { name, tests, reason } of hazards) assert.is(tests.length > 0, !reason, name);
});

test('every test that a hazard names exists under exactly that title', () => {
  const missing = hazards.flatMap(({ name, tests }) =>
    tests.flatMap(({ title, file }) => {
      const path = join(projectRoot, file);
      const found = existsSync(path) && findTest(stripComments(readFileSync(path, 'utf8')), title) !== undefined;
      return found ? [] : [`${name}: ${file}: ${title}`];
    }),
  );
  assert.equal(missing, []);
  assert.is(findTest(`test('another title',`, 'a title'), undefined);
});

test.run();
