import { CreateBucketCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { throughLane } from './testing/through-lane.ts';
import { setUpEffects } from './testing/world-of-effects.ts';
import { connectS3 } from '../core/clients/s3.ts';
import { createArchiveDriver } from '../core/contexts/retention/archive-driver.ts';
import { archiveDestination } from '../core/contexts/retention/events.ts';
import { runDataRetentionJob } from '../core/contexts/retention/run-data-retention-job.ts';
import { recordChange } from '../core/operations/record-change.ts';
import { systemClock } from '../core/runtime/clock.ts';
import { waitFor } from '../core/testing/wait-for.ts';

const OLD = Date.parse('2023-01-15T12:00:00.000Z');

test('an effect lane archives a month in as many calls as it takes, and then it is gone', async () => {
  await using s = await setUpEffects();
  const { db } = s.world.postgres;
  await sql`select ensure_month_partitions('audit_log', '2023-01-01', 1)`.execute(db);
  for (let n = 0; n < 9; n++)
    await recordChange(
      db,
      { merchantId: 'shop-1', actor: 'user:ana', action: 'x', subject: `s-${n}`, correlationId: 'c' },
      OLD,
    );
  const s3 = connectS3();
  const bucket = `${s.world.stack}-archive`;
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  const driver = createArchiveDriver({ db, s3, bucket, bounds: { rowsPerPart: 2, partsPerCheck: 2 } });
  const actors = s.actors({ drivers: () => driver, leaseMs: 60_000 });
  await throughLane(
    s.world,
    { module: runDataRetentionJob, name: 'runDataRetentionJob' },
    {
      merchantId: 'platform',
      eventType: 'DataRetentionJobTriggerEvent',
      payload: { dataClass: 'audit_log', month: '2023-01', timestamp: '2026-11-23T04:00:00.000Z' },
      now: systemClock.now(),
    },
  );
  await waitFor('the month to be gone', async () => {
    await actors.wake([{ merchantId: 'platform', destination: archiveDestination }]);
    const run = await db.selectFrom('retention_runs').select('state').executeTakeFirst();
    return run?.state === 'purged';
  });
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }));
  assert.is(Contents.length, 6);
  const { rows } = await sql<{ there: boolean }>`
    select to_regclass('audit_log_202301') is not null as there`.execute(db);
  assert.is(rows[0]?.there, false);
  const run = await db.selectFrom('retention_runs').selectAll().executeTakeFirstOrThrow();
  assert.equal([run.rows, run.manifest], [9, 'audit_log/2023-01/manifest.json']);
  // Five parts, the manifest, and three times two parts read back.
  const intent = await db.selectFrom('intents').select(['version', 'state']).executeTakeFirstOrThrow();
  assert.equal(intent, { version: 9, state: 'done' });
  s3.destroy();
});

test.run();
