import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { coerceError, isInfrastructureError, LanewayError } from './errors.ts';
import { backoffMs, laneRetry } from './retry.ts';

test('backoff doubles from the base up to the cap, with full jitter below', () => {
  assert.equal(
    [1, 2, 3, 4].map((attempt) => backoffMs(attempt, laneRetry, 0)),
    [1_000, 2_000, 4_000, 8_000],
  );
  assert.is(backoffMs(30, laneRetry, 0), 60_000);
  assert.is(backoffMs(3, laneRetry, 0.75), 1_000);
  assert.is(backoffMs(1, laneRetry, 0.999_999), 1);
});

test('errors of servers and connections are infrastructure, whatever wraps them; errors of data are not', () => {
  for (const code of [
    '08006',
    '40001',
    '40P01',
    '53300',
    '55P03',
    '25006',
    '25P03',
    '57P01',
    '57P03',
    'ECONNREFUSED',
    'ECONNRESET',
  ])
    assert.ok(isInfrastructureError(new Error('wrapped', { cause: Object.assign(new Error('x'), { code }) })), code);
  assert.ok(isInfrastructureError(new LanewayError('fence.lost', 'x')));
  for (const code of ['22P02', '23505', '42703', '57014', 'P0001'])
    assert.not(isInfrastructureError(Object.assign(new Error('x'), { code })), code);
  assert.not(isInfrastructureError(new TypeError('x is not a function')));
});

test('anything that is thrown becomes one of our errors', () => {
  assert.equal([coerceError('text').code, coerceError('text').retry], ['handler.failed', 'backoff']);
  assert.match(coerceError(undefined).message, 'threw undefined');
  const own = new LanewayError('payload.invalid', 'no');
  assert.is(coerceError(own), own);
});

test.run();
