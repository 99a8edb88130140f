import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ago, count, due, merchantPath, span } from './format.ts';

test('durations are shown in one unit', () => {
  assert.is(span(-5), '0.0 s');
  assert.is(span(4_249), '4.2 s');
  assert.is(span(59_999), '59 s');
  assert.is(span(60_000), '1 min');
  assert.is(span(7_199_999), '1 h');
  assert.is(span(200 * 86_400_000), '200 d');
});

test('what is due is told apart from what is overdue', () => {
  const now = new Date('2026-11-24T12:00:00.000Z');
  assert.is(due(new Date('2026-11-24T12:00:30.000Z'), now), 'in 30 s');
  assert.is(due(new Date('2026-11-24T11:58:00.000Z'), now), 'now (due 2 min)');
  assert.is(due(null, now), '–');
  assert.is(ago(new Date('2026-11-24T09:00:00.000Z'), now), '3 h ago');
  assert.is(count(1_234_567), '1,234,567');
  assert.is(count(20_000, true), '≥ 20,000');
});

test('no merchant id leaves its place in a path', () => {
  assert.is(merchantPath('shop-1'), '/merchants/shop-1');
  assert.is(merchantPath('../x'), '/merchants/..%2Fx');
  assert.is(merchantPath('..'), '/merchants?id=..');
  assert.is(merchantPath('a?b#c%41'), '/merchants/a%3Fb%23c%2541');
  assert.is(merchantPath('<script>'), '/merchants/%3Cscript%3E');
});

test.run();
