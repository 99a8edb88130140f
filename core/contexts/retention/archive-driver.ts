import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { type Kysely, sql } from 'kysely';
import { z } from 'zod';
import type { Database } from '../../database/tables.ts';
import type { DestinationDriver, EffectResult } from '../../events/destination.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { recordChange } from '../../operations/record-change.ts';
import { partitionOf, record } from './run-data-retention-job.ts';

const ROWS_PER_PART = 20_000;
const MAX_PARTS = 10_000;
const compress = promisify(gzip);
const decompress = promisify(gunzip);

const wanted = z.object({ dataClass: z.string(), month: z.string() });
const manifestSchema = z.object({
  dataClass: z.string(),
  month: z.string(),
  rows: z.int(),
  parts: z.array(z.object({ key: z.string(), rows: z.int(), sha256: z.string() })),
});
type Manifest = z.infer<typeof manifestSchema>;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const manifestKeyOf = ({ dataClass, month }: { dataClass: string; month: string }): string =>
  `${dataClass}/${month}/manifest.json`;

/**
 * The archive as a destination: a month is there when its manifest is, which is written last, and when everything that the
 * manifest names reads back with its hash. Only then the month is dropped, in the transaction that records it.
 */
export function createArchiveDriver(options: {
  db: Kysely<Database>;
  s3: S3Client;
  bucket: string;
}): DestinationDriver {
  const { db, s3, bucket: Bucket } = options;

  const put = async (Key: string, Body: Uint8Array, abortSignal: AbortSignal) =>
    await s3.send(new PutObjectCommand({ Bucket, Key, Body }), { abortSignal });

  const get = async (Key: string, abortSignal: AbortSignal): Promise<Uint8Array | undefined> => {
    try {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }), { abortSignal });
      return await Body?.transformToByteArray();
    } catch (error) {
      if (error instanceof Error && error.name === 'NoSuchKey') return undefined;
      throw error;
    }
  };

  /** Reads back all that a manifest names. Undefined when anything is missing or differs. */
  const verify = async (key: string, signal: AbortSignal): Promise<EffectResult | undefined> => {
    const bytes = await get(key, signal);
    if (bytes === undefined) return undefined;
    const manifest = manifestSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
    let rows = 0;
    for (const part of manifest.parts) {
      const body = await get(part.key, signal);
      if (body === undefined || sha256(body) !== part.sha256) return undefined;
      rows += (await decompress(body)).toString('utf8').split('\n').length - 1;
    }
    return rows === manifest.rows ? { externalId: key, actual: { rows, sha256: sha256(bytes) } } : undefined;
  };

  const writeParts = async (month: { dataClass: string; month: string }, signal: AbortSignal): Promise<Manifest> => {
    const part = partitionOf(month.dataClass, month.month);
    const manifest: Manifest = { ...month, rows: 0, parts: [] };
    // Nothing is written to a month that has ended, so that the place of a row in its file is an order to page by.
    let after = '(0,0)';
    for (let n = 1; n <= MAX_PARTS; n++) {
      const { rows } = await sql<{ place: string; line: string }>`
        select ctid::text as place, to_jsonb(t)::text as line from ${sql.table(part)} t
        where ctid > ${after}::tid order by ctid limit ${ROWS_PER_PART}
      `.execute(db);
      const last = rows.at(-1);
      if (last === undefined) return manifest;
      const body = await compress(rows.map(({ line }) => `${line}\n`).join(''));
      const key = `${month.dataClass}/${month.month}/part-${String(n).padStart(5, '0')}.jsonl.gz`;
      await put(key, body, signal);
      manifest.parts.push({ key, rows: rows.length, sha256: sha256(body) });
      manifest.rows += rows.length;
      after = last.place;
    }
    throw new LanewayError('effect.rejected', `${part} does not fit into ${MAX_PARTS} parts`);
  };

  return {
    limits: () => ({ quota: [{ calls: 60, perMs: 60_000 }], concurrency: 1 }),
    satisfies: () => true,
    async probe(call, signal) {
      return await verify(manifestKeyOf(wanted.parse(call.desired)), signal);
    },
    async send(call, signal) {
      const month = wanted.parse(call.desired);
      const manifest = await writeParts(month, signal);
      const key = manifestKeyOf(month);
      await put(key, Buffer.from(JSON.stringify(manifest), 'utf8'), signal);
      const result = await verify(key, signal);
      if (result === undefined)
        throw new LanewayError('effect.unavailable', `the archive of ${key} does not read back as it was written`, {
          retry: 'backoff',
        });
      return result;
    },
    async recordSuccess(trx, call, { externalId, actual }, _observed, { now }) {
      const { dataClass, month } = wanted.parse(call.desired);
      const rows = z.int().parse(actual['rows']);
      const { rows: dropped } = await sql<{ dropped: boolean }>`
        select drop_archived_month(${dataClass}, ${`${month}-01`}::date, ${rows}) as dropped
      `.execute(trx);
      const purged = dropped[0]?.dropped === true;
      const state = purged ? ({ state: 'purged' } as const) : ({ state: 'held', reason: 'legal hold' } as const);
      await record(trx, { dataClass, month, rows, manifest: externalId, ...state }, now);
      await recordChange(
        trx,
        {
          merchantId: call.merchantId,
          actor: 'operator:retention',
          action: purged ? 'retention.purged' : 'retention.held',
          subject: `${dataClass} ${month}`,
          after: { rows, manifest: externalId, sha256: actual['sha256'] },
          correlationId: call.correlationId,
        },
        now,
      );
    },
    async recordFailure(trx, call, error, { now }) {
      const { dataClass, month } = wanted.parse(call.desired);
      await record(trx, { dataClass, month, state: 'failed', reason: error.code }, now);
    },
  };
}
