import type { S3Client } from '@aws-sdk/client-s3';
import type { Kysely, Transaction } from 'kysely';
import { z } from 'zod';
import { type WantedChunk, archiveChunk, chunkKeyOf, chunkManifestOf, purgeChunk } from './archive-chunk.ts';
import { type MonthBounds, type WantedMonth, archiveStep, concludeStep, forgetParts } from './archive-month.ts';
import { createArchiveStore } from './archive-store.ts';
import { policyOf } from './policies.ts';
import type { RowPolicy } from './row-chunks.ts';
import { type RunChange, record, recordChunk } from './run-data-retention-job.ts';
import type { Database } from '../../database/tables.ts';
import type { DestinationDriver, EffectCall, EffectContext, EffectResult } from '../../events/destination.ts';
import { recordChange } from '../../operations/record-change.ts';

const wantedMonth = z.object({ dataClass: z.string(), month: z.string() });
const wantedChunk = wantedMonth.extend({ chunk: z.int().min(1), after: z.array(z.string()).nullable() });

const wantedStep = wantedMonth.extend({ check: z.int().min(1).optional() });

/** Twenty thousand rows are read, compressed and written in a second or two; as many parts are read back in as long. */
const usualBounds: MonthBounds = { rowsPerPart: 20_000, partsPerCheck: 20 };

type Wanted = { kind: 'month'; month: WantedMonth } | { kind: 'chunk'; policy: RowPolicy; wanted: WantedChunk };

function parse({ desired }: EffectCall): Wanted {
  const month = wantedMonth.parse(desired);
  const policy = policyOf(month.dataClass);
  const byRow = policy?.byRow;
  if (policy === undefined || byRow === undefined) return { kind: 'month', month: wantedStep.parse(desired) };
  return { kind: 'chunk', policy: { ...policy, byRow }, wanted: wantedChunk.parse(desired) };
}

/**
 * The archive as a destination: a month, or a chunk of one, is there when its manifest is, which is written last, and when
 * everything that the manifest names reads back with its hash. Only then its rows go, in the transaction that records it.
 * A call does a bounded amount and intends the next one, however large a month is.
 */
export function createArchiveDriver(options: {
  db: Kysely<Database>;
  s3: S3Client;
  bucket: string;
  bounds?: MonthBounds;
}): DestinationDriver {
  const { db, bounds = usualBounds } = options;
  const store = createArchiveStore(options);

  return {
    limits: () => ({ quota: [{ calls: 60, perMs: 60_000 }], concurrency: 1 }),
    satisfies: () => true,
    async probe(call, signal) {
      const asked = parse(call);
      // A step of a month is made again, with the same end: its rows are all there still.
      if (asked.kind === 'month') return undefined;
      const there = await store.verify(chunkManifestOf(asked.wanted), signal);
      return there === 'damaged' ? undefined : there;
    },
    async send(call, signal) {
      const asked = parse(call);
      return asked.kind === 'month'
        ? await archiveStep(db, store, { wanted: asked.month, bounds }, signal)
        : await archiveChunk(db, store, asked, signal);
    },
    async recordSuccess(trx, call, result, _observed, context) {
      const asked = parse(call);
      if (asked.kind === 'chunk') return await concludeChunk(trx, call, asked, result, context);
      const { dataClass, month } = asked.month;
      const end = await concludeStep(trx, asked.month, result);
      if (end.kind === 'nothing') return;
      if (end.kind === 'more') return context.intend({ objectKey: call.objectKey, desired: { ...end.next } });
      await conclude(trx, call, { dataClass, month, state: end.kind, rows: end.rows }, result, context);
    },
    async recordFailure(trx, call, error, { now }) {
      const { dataClass, month } = wantedMonth.parse(call.desired);
      const asked = parse(call);
      const failed = { dataClass, month, state: 'failed', reason: error.code } as const;
      if (asked.kind === 'month') {
        // What was written and does not read back, or not as all there is, is written anew.
        if (asked.month.check !== undefined) await forgetParts(trx, asked.month);
        return await record(trx, failed, now);
      }
      // Its number is used up: what is damaged stays as it is, and the next night goes on with another.
      const rows = await recordChunk(trx, { dataClass, month, rows: 0, chunk: asked.wanted.chunk }, now);
      await record(trx, { ...failed, rows }, now);
    },
  };
}

async function concludeChunk(
  trx: Transaction<Database>,
  call: EffectCall,
  asked: Extract<Wanted, { kind: 'chunk' }>,
  result: EffectResult,
  context: EffectContext,
): Promise<void> {
  const { dataClass, month, chunk } = asked.wanted;
  const end = await purgeChunk(trx, asked, result);
  const rows = end.kind === 'held' ? 0 : end.rows;
  const total = await recordChunk(trx, { dataClass, month, rows, chunk, manifest: result.externalId }, context.now);
  switch (end.kind) {
    case 'more':
      return context.intend({ objectKey: chunkKeyOf(end.next), desired: { ...end.next } });
    case 'finished':
      return await conclude(trx, call, { dataClass, month, state: 'purged', rows: total }, result, context);
    case 'held':
      return await conclude(trx, call, { dataClass, month, state: 'held', rows: total }, result, context);
    default:
      return end satisfies never;
  }
}

/** Records how a month ended, in the table of runs and in the audit log. */
async function conclude(
  trx: Transaction<Database>,
  call: EffectCall,
  change: RunChange & { rows: number },
  { externalId: manifest, actual }: EffectResult,
  { now }: EffectContext,
): Promise<void> {
  const held = change.state === 'held';
  await record(trx, { ...change, manifest, ...(held ? { reason: 'legal hold' } : {}) }, now);
  await recordChange(
    trx,
    {
      merchantId: call.merchantId,
      actor: 'operator:retention',
      action: held ? 'retention.held' : 'retention.purged',
      subject: `${change.dataClass} ${change.month}`,
      after: { rows: change.rows, manifest, sha256: actual['sha256'] },
      correlationId: call.correlationId,
    },
    now,
  );
}
