import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createWorld } from '../core/testing/world.ts';
import { inLaneTransaction } from './lane-transaction.ts';

setFlagsFromString('--expose-gc');
// The flag names what the new context then has.
const collectGarbage = runInNewContext('gc') as () => void;

test('a transaction leaves nothing in memory, however long the signal lives that can stop it', async () => {
  await using world = await createWorld();
  const stop = new AbortController();
  const signals: WeakRef<AbortSignal>[] = [];
  for (let n = 0; n < 10; n++)
    await inLaneTransaction(world.postgres.pool, 5_000, stop.signal, async (trx, signal) => {
      signals.push(new WeakRef(signal));
      await sql`select 1`.execute(trx);
    });
  // A WeakRef holds its target until the turn in which it was made is over.
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  const alive = signals.filter((signal) => signal.deref() !== undefined).length;
  // The last one may still be on a stack that nobody has overwritten.
  assert.ok(alive <= 1, `${alive} of 10 are still there`);
});

test.run();
