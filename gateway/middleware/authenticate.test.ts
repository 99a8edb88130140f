import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { rememberKeys } from './authenticate.ts';
import { systemClock } from '../../core/runtime/clock.ts';

function setup(answer: (key: string) => Promise<string | undefined>) {
  let now = 1_000_000;
  const asked: string[] = [];
  const merchantOf = rememberKeys({ ...systemClock, now: () => now }, (key) => {
    asked.push(key);
    return answer(key);
  });
  return { asked, merchantOf, advance: (ms: number) => void (now += ms) };
}

test('a burst of requests with one key asks once', async () => {
  const { asked, merchantOf } = setup(async () => 'shop-1');
  const merchants = await Promise.all(Array.from({ length: 50 }, () => merchantOf('lw_a')));
  assert.equal(new Set(merchants), new Set(['shop-1']));
  assert.equal(asked, ['lw_a']);
});

test('a key is asked about again after 30 seconds, so that a revoked one stops working', async () => {
  let valid = true;
  const { merchantOf, advance } = setup(async () => (valid ? 'shop-1' : undefined));
  assert.is(await merchantOf('lw_a'), 'shop-1');
  valid = false;
  advance(29_999);
  assert.is(await merchantOf('lw_a'), 'shop-1');
  advance(1);
  assert.is(await merchantOf('lw_a'), undefined);
});

test('an unknown key is not remembered: one made a moment later works at once', async () => {
  const known: string[] = [];
  const { merchantOf } = setup(async () => known[0]);
  assert.is(await merchantOf('lw_a'), undefined);
  known.push('shop-1');
  assert.is(await merchantOf('lw_a'), 'shop-1');
});

test('a failed look-up is not remembered', async () => {
  let away = true;
  const { merchantOf } = setup(async () => {
    if (away) throw new Error('the database is away');
    return 'shop-1';
  });
  const error = await merchantOf('lw_a').catch((error: unknown) => error);
  assert.is(error instanceof Error && error.message, 'the database is away');
  away = false;
  assert.is(await merchantOf('lw_a'), 'shop-1');
});

test('what is remembered is bounded: the oldest key goes first', async () => {
  const { asked, merchantOf } = setup(async (key) => key);
  for (let n = 0; n <= 10_000; n++) await merchantOf(`lw_${n}`);
  asked.length = 0;
  await merchantOf('lw_1');
  assert.equal(asked, []);
  await merchantOf('lw_0');
  assert.equal(asked, ['lw_0']);
});

test.run();
