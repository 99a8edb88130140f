import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { errorCodes } from './errors.ts';

test('every error code has a heading in the failure-modes runbook, and every heading a code', () => {
  const runbook = readFileSync(new URL('../../ops/runbooks/failure-modes.md', import.meta.url), 'utf8');
  const headings = [...runbook.matchAll(/^### (.+)$/gm)].map(([, heading]) => heading ?? '');
  assert.equal(headings.toSorted(), [...errorCodes].toSorted());
});

test.run();
