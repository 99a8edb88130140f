import { gunzipSync } from 'node:zlib';
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createArchiveDriver } from './archive-driver.ts';
import type { DataRetentionJobTrigger } from './events.ts';
import { runDataRetentionJob } from './run-data-retention-job.ts';
import { retentionJobs } from './schedules.ts';
import { placeHold, releaseHold } from './writes.ts';
import { connectS3 } from '../../clients/s3.ts';
import type { EffectCall } from '../../events/destination.ts';
import { LanewayError } from '../../runtime/errors.ts';
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
  const driver = createArchiveDriver({ db, s3, bucket, bounds: { rowsPerPart: 2, partsPerCheck: 1 } });
  const { signal } = new AbortController();
  /** Records what a call came to. Resolves with the call that it intends, if it does. */
  const conclude = async (
    result: Awaited<ReturnType<typeof driver.send>>,
    concluded = call,
  ): Promise<EffectCall | undefined> => {
    const intended: EffectCall[] = [];
    await db.transaction().execute(async (trx) => {
      const intend = (next: Pick<EffectCall, 'objectKey' | 'desired'>) => void intended.push({ ...concluded, ...next });
      await driver.recordSuccess(trx, concluded, result, undefined, { now: NOW, emit: () => undefined, intend });
    });
    return intended[0];
  };
  return {
    world,
    db,
    s3,
    bucket,
    signal,
    driver,
    conclude,
    /** Makes calls and records them, one after the other, until nothing more is intended or one is as it is to be. */
    goOn: async (first: EffectCall = call, until: (next: EffectCall) => boolean = () => false) => {
      const steps: unknown[] = [];
      let next: EffectCall | undefined = first;
      while (next !== undefined && !until(next) && steps.length < 20) {
        const result: Awaited<ReturnType<typeof driver.send>> = await driver.send(next, signal);
        steps.push(result.actual['step'] === 'part' ? `${String(result.actual['rows'])} rows` : result.actual['step']);
        next = await conclude(result, next);
      }
      return { steps, next };
    },
    keys: async () => {
      const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }));
      return Contents.map(({ Key }) => Key);
    },
    lines: async (Key: string) => {
      const part = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
      const text = gunzipSync((await part.Body?.transformToByteArray()) ?? '').toString('utf8');
      return text.trimEnd().split('\n');
    },
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
  assert.equal(await t.goOn(), { steps: ['2 rows', '1 rows', 'manifest', 'check', 'check'], next: undefined });
  assert.equal(await t.keys(), [
    'audit_log/2023-01/manifest.json',
    'audit_log/2023-01/part-00001.jsonl.gz',
    'audit_log/2023-01/part-00002.jsonl.gz',
  ]);
  const lines = [
    ...(await t.lines('audit_log/2023-01/part-00001.jsonl.gz')),
    ...(await t.lines('audit_log/2023-01/part-00002.jsonl.gz')),
  ];
  assert.equal(
    lines.map((line) => JSON.parse(line).subject),
    ['a', 'b', 'c'],
  );
  assert.is(await t.month(), false);
  const run = await t.run();
  assert.equal([run?.state, run?.rows, run?.manifest], ['purged', 3, 'audit_log/2023-01/manifest.json']);
  const audited = await t.db.selectFrom('audit_log').select(['action', 'subject']).execute();
  assert.equal(audited, [{ action: 'retention.purged', subject: 'audit_log 2023-01' }]);
  const again = await runHandler(t.db, runDataRetentionJob, [job(2)]);
  assert.equal([again.outcomes, again.intents], [[{ kind: 'skip', reason: 'purged already' }], []]);
});

const isCheck = ({ desired }: EffectCall): boolean => desired['check'] !== undefined;
const fail = (
  t: Awaited<ReturnType<typeof setUp>>,
  failed: EffectCall,
  code: 'effect.rejected' | 'effect.unavailable',
) =>
  t.db.transaction().execute(async (trx) => {
    const context = { now: NOW, emit: () => undefined, intend: () => undefined };
    await t.driver.recordFailure(trx, failed, new LanewayError(code, 'failed'), context);
  });

test('an archive of a month goes on where it stopped, and nothing goes before all of it was read back', async () => {
  await using t = await setUp();
  const first = await t.driver.send(call, t.signal);
  // Its outcome is lost: the same is written again.
  assert.equal([await t.driver.probe(call, t.signal), await t.driver.send(call, t.signal)], [undefined, first]);
  await t.conclude(first);
  assert.equal(await t.conclude(first), call, 'recorded twice, it is one part');
  await fail(t, call, 'effect.unavailable');
  assert.equal([(await t.run())?.state, (await t.run())?.reason], ['failed', 'effect.unavailable']);
  // The next night.
  const { intents } = await runHandler(t.db, runDataRetentionJob, [job(1)]);
  assert.equal(intents[0]?.desired, call.desired);
  const written = await t.goOn(call, isCheck);
  assert.equal(written.steps, ['1 rows', 'manifest']);
  assert.equal([(await t.keys()).length, await t.month()], [3, true]);
  const checked = await t.goOn(written.next, ({ desired }) => desired['check'] === 2);
  assert.equal([checked.steps, await t.month()], [['check'], true]);
  assert.equal(await t.goOn(checked.next), { steps: ['check'], next: undefined });
  assert.is(await t.month(), false);
  assert.equal(await t.db.selectFrom('retention_parts').selectAll().execute(), []);
  // Asked for in vain, by a trigger that came while it went.
  assert.equal(await t.goOn(), { steps: ['none'], next: undefined });
  assert.is((await t.run())?.state, 'purged');
});

test('an archive that was changed, or lacks a row, lets nothing go and is written anew', async () => {
  await using t = await setUp();
  const { next } = await t.goOn(call, isCheck);
  assert.ok(next);
  const Key = 'audit_log/2023-01/part-00002.jsonl.gz';
  const second = { ...next, desired: { ...next.desired, check: 2 } };
  const result = await t.driver.send(second, t.signal);
  await recordChange(t.db, { merchantId: 'shop-1', actor: 'x', action: 'x', subject: 'late', correlationId: 'c' }, OLD);
  const refused = await t.conclude(result, second).catch((error: unknown) => error);
  assert.match(String(refused), /has 4 rows, 3 are archived/);
  await t.s3.send(new PutObjectCommand({ Bucket: t.bucket, Key, Body: 'damaged' }));
  const damaged = await t.driver.send(second, t.signal).catch((error: unknown) => error);
  assert.match(String(damaged), /does not read back/);
  assert.is(await t.month(), true);
  await fail(t, second, 'effect.rejected');
  assert.equal(await t.goOn(), { steps: ['2 rows', '2 rows', 'manifest', 'check', 'check'], next: undefined });
  assert.equal([await t.month(), (await t.lines(Key)).length, (await t.run())?.rows], [false, 2, 4]);
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
  const last = await t.goOn(call, ({ desired }) => desired['check'] === 2);
  await t.hold();
  const held = await runHandler(t.db, runDataRetentionJob, [job(3)]);
  assert.equal([held.outcomes, held.intents], [[{ kind: 'skip', reason: 'legal hold case-7' }], []]);
  // Placed while the archive was being written: it holds too.
  assert.equal((await t.goOn(last.next)).steps, ['check']);
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

const notificationsJob = (n: number) => job(n, { dataClass: 'notifications', month: '2024-01' });

/** Notifications of a month that is over its time, one of which is still to be sent, and one of the next month. */
async function addNotifications(db: Awaited<ReturnType<typeof setUp>>['db'], count: number) {
  await sql`
    insert into notifications (merchant_id, notification_key, recipient_id, channel, template_id, category, priority,
      parameters_hash, locale, template_version, subject, body_text, status, event_id, requested_at, updated_at)
    select 'shop-1', 'n-' || n, 'owner', 'email', 't', 'platform', 'low', 'h', 'en', '1', 'Hello', 'text', 
      case when n = 1 then 'queued' else 'sent' end, 'e', case when n = 2 then timestamptz '2024-02-01T00:00Z'
      else timestamptz '2024-01-31T23:59:59Z' end, now()
    from generate_series(1, ${count}) n
  `.execute(db);
}

test('rows of a table without months go by chunks, each read back before and unchanged since, and nothing else goes', async () => {
  await using t = await setUp();
  await addNotifications(t.db, 5_004);
  const dry = await runHandler(t.db, runDataRetentionJob, [job(1, { ...notificationsJob(1).payload, dryRun: true })]);
  assert.equal(dry.intents, []);
  assert.is((await t.run())?.rows, 5_003);
  const asked = await runHandler(t.db, runDataRetentionJob, [notificationsJob(2)]);
  let next = asked.intents;
  assert.is(next[0]?.objectKey, 'notifications/2024-01/chunk-000001');
  const keys: string[] = [];
  for (let turn = 0; turn < 5; turn++) {
    const [intent] = next;
    if (intent === undefined) break;
    keys.push(intent.objectKey);
    const chunkCall = { ...call, objectKey: intent.objectKey, desired: intent.desired };
    const result = await t.driver.send(chunkCall, t.signal);
    assert.equal(await t.driver.send(chunkCall, t.signal), result, 'an archive is never written over');
    // Changed after it was archived: this chunk may not go as it is.
    if (turn === 0) await sql`update notifications set subject = 'Bye' where notification_key = 'n-3'`.execute(t.db);
    const declared: typeof next = [];
    await t.db.transaction().execute(async (trx) => {
      const intend = (each: Omit<(typeof next)[number], 'destination'>) =>
        void declared.push({ ...each, destination: 'archive:data' });
      await t.driver.recordSuccess(trx, chunkCall, result, undefined, { now: NOW, emit: () => undefined, intend });
    });
    next = declared;
  }
  assert.equal(keys, [
    'notifications/2024-01/chunk-000001',
    'notifications/2024-01/chunk-000002',
    'notifications/2024-01/chunk-000003',
  ]);
  const left = await t.db.selectFrom('notifications').select('notification_key').orderBy('notification_key').execute();
  assert.equal(
    left.map(({ notification_key }) => notification_key),
    ['n-1', 'n-2'],
  );
  const run = await t.run();
  assert.equal([run?.state, run?.rows, run?.chunks], ['purged', 5_002, 3]);
  const part = await t.s3.send(
    new GetObjectCommand({ Bucket: t.bucket, Key: 'notifications/2024-01/chunk-000002/rows.jsonl.gz' }),
  );
  const archived = gunzipSync((await part.Body?.transformToByteArray()) ?? '').toString('utf8');
  assert.is(archived.trimEnd().split('\n').length, 5_000);
  assert.match(archived, /"subject": "Bye"/);
});

test('an archive of a chunk that was damaged is neither believed nor written over, and the next night goes on beside it', async () => {
  await using t = await setUp();
  await addNotifications(t.db, 3);
  const { intents } = await runHandler(t.db, runDataRetentionJob, [notificationsJob(1)]);
  const chunkCall = { ...call, objectKey: intents[0]?.objectKey ?? '', desired: intents[0]?.desired ?? {} };
  await t.driver.send(chunkCall, t.signal);
  const Key = 'notifications/2024-01/chunk-000001/rows.jsonl.gz';
  await t.s3.send(new PutObjectCommand({ Bucket: t.bucket, Key, Body: 'damaged' }));
  const refused = await t.driver.send(chunkCall, t.signal).catch((error: unknown) => error);
  assert.match(String(refused), /is damaged/);
  await t.db.transaction().execute(async (trx) => {
    const context = { now: NOW, emit: () => undefined, intend: () => undefined };
    await t.driver.recordFailure(trx, chunkCall, new LanewayError('effect.rejected', 'damaged'), context);
  });
  assert.equal([(await t.run())?.state, (await t.run())?.reason], ['failed', 'effect.rejected']);
  const again = await runHandler(t.db, runDataRetentionJob, [notificationsJob(2)]);
  assert.is(again.intents[0]?.objectKey, 'notifications/2024-01/chunk-000002');
  assert.is((await t.db.selectFrom('notifications').selectAll().execute()).length, 3);
});

test('a legal hold placed while rows are being archived keeps them', async () => {
  await using t = await setUp();
  await addNotifications(t.db, 3);
  const { intents } = await runHandler(t.db, runDataRetentionJob, [notificationsJob(1)]);
  const chunkCall = { ...call, objectKey: intents[0]?.objectKey ?? '', desired: intents[0]?.desired ?? {} };
  const result = await t.driver.send(chunkCall, t.signal);
  const requester = { by: 'legal', reason: 'lawsuit' };
  await placeHold(t.db, { dataClass: 'notifications', holdId: 'case-9', requester }, NOW);
  await t.conclude(result, chunkCall);
  assert.is((await t.db.selectFrom('notifications').selectAll().execute()).length, 3);
  assert.is((await t.run())?.state, 'held');
  assert.is(await releaseHold(t.db, { holdId: 'case-9', requester }, NOW), 'notifications');
  const again = await runHandler(t.db, runDataRetentionJob, [notificationsJob(2)]);
  assert.is(again.intents[0]?.objectKey, 'notifications/2024-01/chunk-000002');
  const actions = await t.db.selectFrom('operator_actions').select(['action', 'requested_by']).execute();
  assert.equal(actions, [
    { action: 'retention.hold', requested_by: 'legal' },
    { action: 'retention.release', requested_by: 'legal' },
  ]);
});

test.run();
