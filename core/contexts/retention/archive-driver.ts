import type { S3Client } from '@aws-sdk/client-s3';
import type { Kysely, Transaction } from 'kysely';
import { z } from 'zod';
import { type WantedChunk, archiveChunk, chunkKeyOf, chunkManifestOf, purgeChunk } from './archive-chunk.ts';
import { type Month, archiveMonth, dropMonth, manifestKeyOf } from './archive-month.ts';
import { createArchiveStore } from './archive-store.ts';
import { policyOf } from './policies.ts';
import type { RowPolicy } from './row-chunks.ts';
import { type RunChange, record, recordChunk } from './run-data-retention-job.ts';
import type { Database } from '../../database/tables.ts';
import type { DestinationDriver, EffectCall, EffectContext, EffectResult } from '../../events/destination.ts';
import { recordChange } from '../../operations/record-change.ts';

const wantedMonth = z.object({ dataClass: z.string(), month: z.string() });
const wantedChunk = wantedMonth.extend({ chunk: z.int().min(1), after: z.array(z.string()).nullable() });

type Wanted = { kind: 'month'; month: Month } | { kind: 'chunk'; policy: RowPolicy; wanted: WantedChunk };

function parse({ desired }: EffectCall): Wanted {
  const month = wantedMonth.parse(desired);
  const policy = policyOf(month.dataClass);
  const byRow = policy?.byRow;
  if (policy === undefined || byRow === undefined) return { kind: 'month', month };
  return { kind: 'chunk', policy: { ...policy, byRow }, wanted: wantedChunk.parse(desired) };
}

/**
 * The archive as a destination: a month, or a chunk of one, is there when its manifest is, which is written last, and when
 * everything that the manifest names reads back with its hash. Only then its rows go, in the transaction that records it.
 */
export function createArchiveDriver(options: {
  db: Kysely<Database>;
  s3: S3Client;
  bucket: string;
}): DestinationDriver {
  const { db } = options;
  const store = createArchiveStore(options);

  return {
    limits: () => ({ quota: [{ calls: 60, perMs: 60_000 }], concurrency: 1 }),
    satisfies: () => true,
    async probe(call, signal) {
      const asked = parse(call);
      const key = asked.kind === 'month' ? manifestKeyOf(asked.month) : chunkManifestOf(asked.wanted);
      const there = await store.verify(key, signal);
      return there === 'damaged' ? undefined : there;
    },
    async send(call, signal) {
      const asked = parse(call);
      return asked.kind === 'month'
        ? await archiveMonth(db, store, asked.month, signal)
        : await archiveChunk(db, store, asked, signal);
    },
    async recordSuccess(trx, call, result, _observed, context) {
      const asked = parse(call);
      if (asked.kind === 'chunk') return await concludeChunk(trx, call, asked, result, context);
      const state = (await dropMonth(trx, asked.month, result)) ? 'purged' : 'held';
      const rows = z.int().parse(result.actual['rows']);
      await conclude(trx, call, { ...asked.month, state, rows, manifest: result.externalId }, result, context);
    },
    async recordFailure(trx, call, error, { now }) {
      const { dataClass, month } = wantedMonth.parse(call.desired);
      const asked = parse(call);
      const failed = { dataClass, month, state: 'failed', reason: error.code } as const;
      if (asked.kind === 'month') return await record(trx, failed, now);
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
