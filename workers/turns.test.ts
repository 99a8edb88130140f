import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type TurnLimits, mayShare, roleOf, windowOf } from './turns.ts';

const limits: TurnLimits = {
  windowEvents: 50,
  windowBytes: 1_000_000,
  convoyLanes: 32,
  convoyEvents: 800,
  convoyBytes: 4_000_000,
  quantumWindows: 4,
  quantumMs: 2_000,
};

test('a lane alone has its whole window, and many lanes share what one transaction may take', () => {
  assert.equal(windowOf(1, limits), { events: 50, bytes: 1_000_000 });
  assert.equal(windowOf(16, limits), { events: 50, bytes: 250_000 });
  assert.equal(windowOf(32, limits), { events: 25, bytes: 125_000 });
});

test('whatever shares a transaction, every lane contributes and together they stay below its limits', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 800 }), (lanes) => {
      const { events, bytes } = windowOf(lanes, limits);
      assert.ok(events >= 1 && bytes >= 1);
      assert.ok(events * lanes <= 800 && bytes * lanes <= 4_000_000);
    }),
  );
});

test('who follows a death or made others fail is kept out, and so is a lane with something open or limited', () => {
  assert.equal(
    [mayShare({ stalledCount: 0, suspect: false }), mayShare({ stalledCount: 1, suspect: false })],
    [true, false],
  );
  assert.not(mayShare({ stalledCount: 0, suspect: true }));
  const unlimited = { weight: 1, ratePerSecond: null, rateTokens: 0, rateAt: null, drainTo: null };
  const lane = { cursor: 0, cursorDay: '2026-11-24', openDeliveries: 0, wake: 0, dueAt: null, ...unlimited };
  assert.equal(
    [
      roleOf({ ...lane, state: 'active' }),
      roleOf({ ...lane, state: 'paused' }),
      roleOf({ ...lane, state: 'blocked' }),
      roleOf({ ...lane, state: 'active', openDeliveries: 1 }),
      roleOf({ ...lane, state: 'active', dueAt: new Date(0) }),
      roleOf({ ...lane, state: 'active', ratePerSecond: 5 }),
      roleOf({ ...lane, state: 'active', drainTo: 9 }),
    ],
    ['share', 'wait', 'wait', 'alone', 'alone', 'alone', 'alone'],
  );
});

test.run();
