import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { convoyCost } from './measured.ts';
import { simulateLanes } from './simulate-lanes.ts';
import { usualLimits } from './simulations.ts';

const small = {
  merchants: 2_000,
  eventsPerSecond: 1_000,
  seconds: 5,
  noisyBacklog: 20_000,
  // One crew on one processor: whoever keeps it keeps it from everybody.
  crews: 1,
  processors: 1,
  cost: convoyCost,
  limits: usualLimits,
  seed: 3,
};

test('the scheduler forgets no merchant, and one with a backlog costs the others a bounded time', async () => {
  const result = await simulateLanes(small);
  assert.is(result.open, 0);
  assert.is(result.events, 25_000);
  assert.ok(result.quietMaxMs < 500, `${result.quietMaxMs} ms`);
  // The same run is the same: nothing in it depends on the machine.
  assert.equal(await simulateLanes(small), result);
});

test('a simulated scheduler that gives a lane all its windows at once is seen to starve the others', async () => {
  // One lane a transaction and no end to a turn: the backlog is worked before anybody else.
  const greedy = { ...usualLimits, convoyLanes: 1, quantumWindows: 1_000_000, quantumMs: 1_000_000 };
  const { quietMaxMs } = await simulateLanes({ ...small, limits: greedy, eventsPerSecond: 100 });
  const fair = await simulateLanes({ ...small, limits: { ...usualLimits, convoyLanes: 1 }, eventsPerSecond: 100 });
  assert.ok(quietMaxMs > 2_000, `${quietMaxMs} ms`);
  assert.ok(fair.quietMaxMs < 1_000, `${fair.quietMaxMs} ms`);
});

test.run();
