import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createLaneSystem } from './testing/lane-system.ts';
import { ensurePartitions } from '../core/database/migrate.ts';
import { done } from '../core/events/handler.ts';
import { systemClock } from '../core/runtime/clock.ts';
import { createWorld } from '../core/testing/world.ts';

test('a window looks into no partition before its cursor’s day', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const system = createLaneSystem(world, { h: { run: () => done } });
  await system.seed('m', [{ n: 1 }]);
  await system.run('m');
  await system.seed('m', [{ n: 2 }]);
  const earlier = new Date(systemClock.now() - 30 * 86_400_000);
  await ensurePartitions(db, earlier.getTime());
  const partition = `inbox_${earlier.toISOString().slice(0, 10).replaceAll('-', '')}`;
  // Whoever touches it waits until the deadline, as for a partition that is being taken away.
  await db.transaction().execute(async (trx) => {
    await sql`lock table ${sql.table(partition)} in access exclusive mode`.execute(trx);
    assert.is((await system.run('m', { leaseMs: 4_000 })).kind, 'caught-up');
  });
  assert.equal(await system.settled('m'), ['1 done', '2 done']);
});

test.run();
