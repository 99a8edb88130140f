import { mock } from 'node:test';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { watchStalls } from './stall-watch.ts';
import { openEvent } from './window.ts';
import { testEvent } from './testing/test-event.ts';
import { createRegistry } from '../core/events/registry.ts';

const registry = createRegistry([testEvent({ h: {} })]);

const eventOf = (merchantId: string) =>
  openEvent(registry, merchantId, {
    ...{ mseq: 1, day: '2026-11-23', eventId: 'e', eventType: 'TestEvent', eventVersion: '1.0.0', correlationId: 'c' },
    ...{ traceparent: '', sourceQueue: 'TestQueue', receivedAt: new Date(0), body: '{}', keyId: null },
  });

/** A watch on a clock that only the test moves. */
function setup(callMs: number) {
  mock.timers.enable({ apis: ['setTimeout'] });
  const watch = watchStalls(callMs);
  return {
    watch,
    pass: (ms: number) => mock.timers.tick(ms),
    [Symbol.dispose]() {
      watch[Symbol.dispose]();
      mock.timers.reset();
    },
  };
}

test('a call has its time to itself, however long those before it took', () => {
  using s = setup(100);
  for (const merchantId of ['m1', 'm2', 'm1', 'm2']) {
    s.watch.running([eventOf(merchantId)]);
    s.pass(90);
  }
  assert.not.ok(s.watch.signal.aborted);
  s.pass(20);
  assert.match(String(s.watch.signal.reason), /took longer than 100 ms/);
  assert.is(s.watch.culprit?.event.merchantId, 'm2');
});

test('nobody is blamed for a call of several merchants, nor for the time between two calls', () => {
  using s = setup(100);
  s.watch.running([eventOf('m1')]);
  s.watch.running([]);
  s.pass(1_000);
  assert.not.ok(s.watch.signal.aborted);
  s.watch.running([eventOf('m1'), eventOf('m2')]);
  s.pass(100);
  assert.ok(s.watch.signal.aborted);
  assert.is(s.watch.culprit, undefined);
});

test.run();
