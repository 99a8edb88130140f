import { gunzipSync } from 'node:zlib';
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createArchiveDriver } from './archive-driver.ts';
import type { DataRetentionJobTrigger } from './events.ts';
import { runDataRetentionJob } from './run-data-retention-job.ts';
import { retentionJobs } from './schedules.ts';
import { connectS3 } from '../../clients/s3.ts';
import type { EffectCall } from '../../events/destination.ts';
import { lanewayEvent, runHandler } from '../../testing/run-handler.ts';
import { createWorld } from '../../testing/world.ts';
import { runTwice } from '../../testing/duplicate.ts';
import { recordChange } from '../../operations/record-change.ts';

const NOW = Date.parse('2026-11-23T12:00:00.000Z');
const OLD = Date.parse('2023-01-15T12:00:00.000Z');
const job = (n: number, changes: Partial<DataRetentionJobTrigger> = {}) =>
  lanewayEvent(n, {
    dataClass: 'audit_log' as const,
    month: '2023-01',
    timestamp: '2026-11-23T04:00:00.000Z',
    ...changes,
  });
const call: EffectCall = {
  merchantId: 'platform',
  destination: 'archive:data',
  objectKey: 'audit_log/2023-01',
  version: 1,
  desired: { dataClass: 'audit_log', month: '2023-01' },
  externalId: undefined,
  idempotencyKey: 'k',
  eventId: 'e',
  correlationId: 'cor-1',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
};

/** A month of the audit log long past its retention, with three rows, and an archive. */
async function setUp() {
  const world = await createWorld();
  const { db } = world.postgres;
  await sql`select ensure_month_partitions('audit_log', '2023-01-01', 1)`.execute(db);
  for (const subject of ['a', 'b', 'c'])
    await recordChange(db, { merchantId: 'shop-1', actor: 'user:ana', action: 'x', subject, correlationId: 'c' }, OLD);
  const s3 = connectS3();
  const bucket = `${world.stack}-archive`;
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  const driver = createArchiveDriver({ db, s3, bucket });
  const { signal } = new AbortController();
  return {
    world,
    db,
    s3,
    bucket,
    signal,
    driver,
    conclude: async (result: Awaited<ReturnType<typeof driver.send>>) =>
      await db.transaction().execute(async (trx) => {
        const context = { now: NOW, emit: () => undefined, intend: () => undefined };
        await driver.recordSuccess(trx, call, result, undefined, context);
      }),
    month: async () => {
      const { rows } = await sql<{
        there: boolean;
      }>`select to_regclass('audit_log_202301') is not null as there`.execute(db);
      return rows[0]?.there;
    },
    run: async () => await db.selectFrom('retention_runs').selectAll().executeTakeFirst(),
    hold: async () =>
      await db
        .insertInto('legal_holds')
        .values({
          hold_id: 'case-7',
          data_class: 'audit_log',
          reason: 'lawsuit',
          placed_by: 'legal',
          placed_at: new Date(NOW),
          released_by: null,
          released_at: null,
        })
        .execute(),
    async [Symbol.asyncDispose]() {
      s3.destroy();
      await world[Symbol.asyncDispose]();
    },
  };
}

test('a month goes only after its archive has read back, and the archive holds every row', async () => {
  await using t = await setUp();
  const asked = await runHandler(t.db, runDataRetentionJob, [job(1)]);
  assert.equal(asked.intents, [{ destination: 'archive:data', objectKey: 'audit_log/2023-01', desired: call.desired }]);
  assert.is(await t.driver.probe(call, t.signal), undefined);
  const result = await t.driver.send(call, t.signal);
  assert.equal(await t.driver.probe(call, t.signal), result);
  assert.is(await t.month(), true);
  const { Contents = [] } = await t.s3.send(new ListObjectsV2Command({ Bucket: t.bucket }));
  assert.equal(
    Contents.map(({ Key }) => Key),
    ['audit_log/2023-01/manifest.json', 'audit_log/2023-01/part-00001.jsonl.gz'],
  );
  const part = await t.s3.send(
    new GetObjectCommand({ Bucket: t.bucket, Key: 'audit_log/2023-01/part-00001.jsonl.gz' }),
  );
  const lines = gunzipSync((await part.Body?.transformToByteArray()) ?? '')
    .toString('utf8')
    .trimEnd()
    .split('\n');
  assert.equal(
    lines.map((line) => JSON.parse(line).subject),
    ['a', 'b', 'c'],
  );
  await t.conclude(result);
  assert.is(await t.month(), false);
  const run = await t.run();
  assert.equal([run?.state, run?.rows, run?.manifest], ['purged', 3, 'audit_log/2023-01/manifest.json']);
  const audited = await t.db.selectFrom('audit_log').select(['action', 'subject']).execute();
  assert.equal(audited, [{ action: 'retention.purged', subject: 'audit_log 2023-01' }]);
  const again = await runHandler(t.db, runDataRetentionJob, [job(2)]);
  assert.equal([again.outcomes, again.intents], [[{ kind: 'skip', reason: 'purged already' }], []]);
});

test('an archive that was changed, or lacks a row, lets nothing go', async () => {
  await using t = await setUp();
  const result = await t.driver.send(call, t.signal);
  await recordChange(t.db, { merchantId: 'shop-1', actor: 'x', action: 'x', subject: 'late', correlationId: 'c' }, OLD);
  const refused = await t.conclude(result).catch((error: unknown) => error);
  assert.match(String(refused), /has 4 rows, 3 are archived/);
  const Key = 'audit_log/2023-01/part-00001.jsonl.gz';
  await t.s3.send(new PutObjectCommand({ Bucket: t.bucket, Key, Body: 'damaged' }));
  assert.is(await t.driver.probe(call, t.signal), undefined);
  assert.is(await t.month(), true);
});

test('a legal hold, a dry run and a month that is too young change nothing', async () => {
  await using t = await setUp();
  const dry = await runHandler(t.db, runDataRetentionJob, [job(1, { dryRun: true })]);
  assert.equal(dry.intents, []);
  assert.equal([(await t.run())?.state, (await t.run())?.rows], ['dry-run', 3]);
  const young = await runHandler(t.db, runDataRetentionJob, [job(2, { month: '2024-11' })]).catch(
    (error: unknown) => error,
  );
  assert.match(String(young), /has not reached the end of its retention/);
  const result = await t.driver.send(call, t.signal);
  await t.hold();
  const held = await runHandler(t.db, runDataRetentionJob, [job(3)]);
  assert.equal([held.outcomes, held.intents], [[{ kind: 'skip', reason: 'legal hold case-7' }], []]);
  // Placed while the archive was being written: it holds too.
  await t.conclude(result);
  assert.is(await t.month(), true);
  assert.is((await t.run())?.state, 'held');
});

test('the same trigger again leaves the record as it was, and the nightly job names what is past its time', async () => {
  await using t = await setUp();
  const { once, twice } = await runTwice(t.world, runDataRetentionJob, [job(1)], ['retention_runs']);
  assert.is(twice, once);
  const [scheduled] = retentionJobs;
  const period = { startMs: NOW, endMs: NOW + 86_400_000 };
  const page = await t.db.transaction().execute((trx) => {
    if (scheduled === undefined) throw new Error('retention has a job');
    return scheduled.due(trx, { period, nowMs: NOW, after: '', limit: 500 });
  });
  assert.equal(
    page.events.map(({ payload }) => payload['month']),
    ['2023-01'],
  );
});

test.run();
