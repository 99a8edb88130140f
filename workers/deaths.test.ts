import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { LaneEnd } from './act.ts';
import { createLaneSystem } from './testing/lane-system.ts';
import { done } from '../core/events/handler.ts';
import { createWorld } from '../core/testing/world.ts';

test('an event that kills its process is found within one visit after the first death, wherever it stands in its window', async () => {
  await using world = await createWorld();
  let deaths = 0;
  let process = new AbortController();
  const system = createLaneSystem(world, {
    h: {
      run: (n) => {
        if (n !== 9) return done;
        deaths += 1;
        // A process that dies returns from nothing, and its transaction is rolled back.
        process.abort(new Error('killed'));
        return new Promise(() => undefined);
      },
    },
  });
  await system.seed(
    'm',
    Array.from({ length: 12 }, (_, i) => ({ n: i + 1 })),
  );
  // As actors visit: careful after a death, and again after a quantum.
  let careful = false;
  for (let visits = 0; visits < 20; visits++) {
    process = new AbortController();
    const end: LaneEnd | undefined = await system
      .run('m', { careful, quantumWindows: 2, stop: process.signal })
      .catch(() => undefined);
    careful = end === undefined;
    if (end?.kind === 'caught-up') break;
  }
  assert.is(deaths, 1 + 3, 'one in a window, where it has no name, and three alone');
  assert.equal((await system.settled('m')).at(8), '9 dead');
  assert.is((await system.settled('m')).length, 12);
});

test.run();
