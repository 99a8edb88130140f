import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LanewayError, coerceError, errorCodes, recordError, storableText } from './errors.ts';

test('every error code has a heading in the failure-modes runbook, and every heading a code', () => {
  const runbook = readFileSync(new URL('../../ops/runbooks/failure-modes.md', import.meta.url), 'utf8');
  const headings = [...runbook.matchAll(/^### (.+)$/gm)].map(([, heading]) => heading ?? '');
  assert.equal(headings.toSorted(), [...errorCodes].toSorted());
});

test('whatever was thrown has a text that rows, JSON and events can hold', () => {
  assert.is(new LanewayError('effect.rejected', 'it said a\0b\ud83d').message, 'it said ab\ufffd');
  assert.is(storableText(`${'x'.repeat(999)}😀`), `${'x'.repeat(999)}\ufffd`);
  const thrown: [unknown, string][] = [
    [new Error('a\0b'), 'ab'],
    [Object.create(null), 'threw object'],
    [Object.assign(new Error('x'), { message: 7 }), '7'],
    [Symbol('s'), 'threw symbol: Symbol(s)'],
  ];
  for (const [error, text] of thrown) assert.is(recordError(coerceError(error), 0).message, text);
});

test.run();
