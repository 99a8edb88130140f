import { getEventListeners } from 'node:events';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { withDeadline } from './deadline.ts';
import { LanewayError } from './errors.ts';

const never = () => new Promise<never>(() => undefined);

async function faultOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('did not reject');
}

test('work that ignores its signal is given up at its deadline, by name', async () => {
  let given: AbortSignal | undefined;
  const fault = await faultOf(
    withDeadline('a call', 5, (signal) => {
      given = signal;
      return never();
    }),
  );
  assert.instance(fault, LanewayError);
  assert.is((fault as LanewayError).code, 'handler.deadline');
  assert.match((fault as LanewayError).message, /a call took longer than 5 ms/);
  assert.is(given?.aborted, true);
});

test('who asked may stop it before that, with a reason of its own', async () => {
  const asking = new AbortController();
  const reason = new Error('shutting down');
  const fault = faultOf(withDeadline('a call', 60_000, never, asking.signal));
  asking.abort(reason);
  assert.is(await fault, reason);
  let started = false;
  const late = withDeadline('a call', 60_000, async () => void (started = true), asking.signal);
  assert.is(await faultOf(late), reason);
  assert.is(started, false);
});

test('work that ends leaves nothing behind: no timer, no listener, and its signal does not fire', async () => {
  const asking = new AbortController();
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  let given: AbortSignal | undefined;
  const answer = await withDeadline(
    'a call',
    60_000,
    async (signal) => {
      given = signal;
      return 7;
    },
    asking.signal,
  );
  assert.is(answer, 7);
  assert.is(
    await faultOf(withDeadline('a call', 60_000, () => Promise.reject(new Error('no')))).then(String),
    'Error: no',
  );
  assert.is(timers(), before);
  assert.is(getEventListeners(asking.signal, 'abort').length, 0);
  asking.abort();
  assert.is(given?.aborted, false);
});

test.run();
