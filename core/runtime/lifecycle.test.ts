import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createLifecycle } from './lifecycle.ts';
import type { Log } from './log.ts';

function setUp(drainMs: number) {
  const said: string[] = [];
  const note = (message: string) => void said.push(message);
  const log = { debug: note, info: note, warn: note, error: note } as unknown as Log;
  return { said, lifecycle: createLifecycle(log, drainMs) };
}

test('what was started last is stopped first, and one that fails does not keep the others from it', async () => {
  const { said, lifecycle } = setUp(60_000);
  const stopped: string[] = [];
  lifecycle.onStop('database', async () => void stopped.push('database'));
  lifecycle.onStop('sweeper', () => Promise.reject(new Error('no')));
  lifecycle.onStop('intake', async () => void stopped.push('intake'));
  await lifecycle.drain('SIGTERM');
  assert.equal(stopped, ['intake', 'database']);
  assert.is(lifecycle.state, 'stopped');
  assert.equal(said, ['draining', 'stopping sweeper failed, going on without it', 'stopped']);
});

test('a stop that hangs is left behind after its share, and what comes after it still has its time', async () => {
  const drainMs = 2_000;
  const { said, lifecycle } = setUp(drainMs);
  let left = 0;
  lifecycle.onStop('lanes', async (leftMs) => void (left = leftMs), 1);
  lifecycle.onStop('sweeper', () => new Promise(() => undefined));
  lifecycle.onStop('intake', () => new Promise(() => undefined), 0.2);
  await lifecycle.drain('SIGTERM');
  assert.ok(left > 0 && left <= drainMs * 0.75, `${left} ms were left`);
  assert.equal(said, [
    'draining',
    'stopping intake failed, going on without it',
    'stopping sweeper failed, going on without it',
    'stopped',
  ]);
});

test.run();
