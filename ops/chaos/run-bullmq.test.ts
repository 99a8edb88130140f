import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startRedis } from '../local/redis.ts';
import { findInversions } from './find-inversions.ts';
import { toLoad } from './generate-events.ts';
import { chaosRegistry } from './registry.ts';
import { runOnBullmq } from './run-bullmq.ts';
import type { Troubles } from './trouble.ts';

async function inversionsOf(troubles: Troubles): Promise<readonly string[]> {
  const definition = chaosRegistry.get('ChaosBudgetEvent');
  if (definition === undefined) throw new Error('there is no such event');
  const load = ['e1', 'e2', 'e3'].map((eventId) =>
    toLoad({
      ...{ eventId, merchantId: 'shop', atMs: 0, definition, payload: definition.example },
      troubles: eventId === 'e1' ? troubles : {},
    }),
  );
  const dir = mkdtempSync(join(tmpdir(), 'laneway-bullmq-test-'));
  const redis = await startRedis({ dir });
  try {
    return findInversions(await runOnBullmq(load, redis.url));
  } finally {
    await redis.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

test('a queue for each merchant keeps order until a handler fails: then what is tried again comes last', async () => {
  assert.equal(await inversionsOf({}), []);
  assert.equal(await inversionsOf({ recordBudgetMerchantReleaseDelta: { kind: 'fail', times: 1 } }), [
    'e1 (1) of shop ended at recordBudgetMerchantReleaseDelta after 3 had',
  ]);
});

test.run();
