import { type Kysely, type Transaction, sql } from 'kysely';
import { z } from 'zod';
import type { ArchiveStore } from './archive-store.ts';
import { partitionOf } from './run-data-retention-job.ts';
import type { Database } from '../../database/tables.ts';
import type { EffectResult } from '../../events/destination.ts';
import { LanewayError } from '../../runtime/errors.ts';

const MAX_PARTS = 10_000;

export interface Month {
  dataClass: string;
  month: string;
}

/**
 * A step of a month's archive, each a call of its own that does a bounded amount:
 *
 *   part after part is written ─► the manifest ─► some parts at a time are read back ─► the month is dropped
 *
 * What is written is noted in `retention_parts`: whoever comes next, after a failure or in another night, goes on behind it.
 */
export interface WantedMonth extends Month {
  /** The first part to be read back; undefined as long as something is to be written. */
  check?: number | undefined;
}

/** How much one call does. */
export interface MonthBounds {
  rowsPerPart: number;
  partsPerCheck: number;
}

export const manifestKeyOf = ({ dataClass, month }: Month): string => `${dataClass}/${month}/manifest.json`;

/** What a step came to, as the effect keeps it. */
const stepDone = z.discriminatedUnion('step', [
  z.object({
    step: z.literal('part'),
    part: z.int(),
    key: z.string(),
    rows: z.int(),
    sha256: z.string(),
    /** Of the last row in it. */
    place: z.string(),
  }),
  z.object({ step: z.literal('manifest') }),
  /** Somebody asked for a month that had gone meanwhile. */
  z.object({ step: z.literal('none') }),
  /** `next`: the first part that was not read back; null when all were. */
  z.object({ step: z.literal('check'), rows: z.int(), sha256: z.string(), next: z.int().nullable() }),
]);

export async function archiveStep(
  db: Kysely<Database>,
  store: ArchiveStore,
  { wanted, bounds }: { wanted: WantedMonth; bounds: MonthBounds },
  signal: AbortSignal,
): Promise<EffectResult> {
  return wanted.check === undefined
    ? await writeNext(db, store, { month: wanted, rowsPerPart: bounds.rowsPerPart }, signal)
    : await check(store, { month: wanted, from: wanted.check, count: bounds.partsPerCheck }, signal);
}

async function writeNext(
  db: Kysely<Database>,
  store: ArchiveStore,
  { month, rowsPerPart }: { month: Month; rowsPerPart: number },
  signal: AbortSignal,
): Promise<EffectResult> {
  const { dataClass } = month;
  const manifestKey = manifestKeyOf(month);
  const partition = partitionOf(dataClass, month.month);
  const { rows: found } = await sql<{ there: boolean }>`select to_regclass(${partition}) is not null as there`.execute(
    db,
  );
  if (found[0]?.there !== true) return { externalId: manifestKey, actual: { step: 'none' } };
  const written = await db
    .selectFrom('retention_parts')
    .select(['part', 'key', 'rows', 'sha256', 'last_place as place'])
    .where('data_class', '=', dataClass)
    .where('month', '=', month.month)
    .orderBy('part')
    .execute();
  const before = written.at(-1);
  // Nothing is written to a month that has ended, so that the place of a row in its file is an order to page by.
  const { rows } = await sql<{ place: string; line: string }>`
    select ctid::text as place, to_jsonb(t)::text as line from ${sql.table(partition)} t
    where ctid > ${before?.place ?? '(0,0)'}::tid order by ctid limit ${rowsPerPart}
  `.execute(db);
  const last = rows.at(-1);
  if (last === undefined) {
    const parts = written.map(({ key, rows: count, sha256 }) => ({ key, rows: count, sha256 }));
    const all = parts.reduce((sum, part) => sum + part.rows, 0);
    await store.putManifest(manifestKey, { dataClass, month: month.month, rows: all, parts }, signal);
    return { externalId: manifestKey, actual: { step: 'manifest' } };
  }
  const part = (before?.part ?? 0) + 1;
  if (part > MAX_PARTS)
    throw new LanewayError('effect.rejected', `${manifestKey} would have more than ${MAX_PARTS} parts`);
  const key = `${dataClass}/${month.month}/part-${String(part).padStart(5, '0')}.jsonl.gz`;
  const lines = rows.map(({ line }) => line);
  const done = { step: 'part', part, place: last.place, ...(await store.writePart(key, lines, signal)) };
  return { externalId: manifestKey, actual: done };
}

async function check(
  store: ArchiveStore,
  { month, from, count }: { month: Month; from: number; count: number },
  signal: AbortSignal,
): Promise<EffectResult> {
  const manifestKey = manifestKeyOf(month);
  const checked = await store.verifyParts(manifestKey, { from, count }, signal);
  if (checked === undefined || checked === 'damaged')
    throw new LanewayError('effect.rejected', `the archive of ${manifestKey} does not read back as it was written`);
  const { rows, sha256, next } = checked;
  return { externalId: manifestKey, actual: { step: 'check', rows, sha256, next: next ?? null } };
}

export type StepEnd =
  | { kind: 'more'; next: WantedMonth }
  | { kind: 'nothing' }
  /** The month is gone. */
  | { kind: 'purged'; rows: number }
  | { kind: 'held'; rows: number };

/** Notes what a step has done, and drops the month after the last one, if it holds what was archived. */
export async function concludeStep(
  trx: Transaction<Database>,
  { dataClass, month }: WantedMonth,
  { actual }: EffectResult,
): Promise<StepEnd> {
  const done = stepDone.parse(actual);
  switch (done.step) {
    case 'part': {
      const { part, key, rows, sha256, place } = done;
      await trx
        .insertInto('retention_parts')
        .values({ data_class: dataClass, month, part, key, rows, sha256, last_place: place })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      return { kind: 'more', next: { dataClass, month } };
    }
    case 'none':
      return { kind: 'nothing' };
    case 'manifest':
      return { kind: 'more', next: { dataClass, month, check: 1 } };
    case 'check': {
      if (done.next !== null) return { kind: 'more', next: { dataClass, month, check: done.next } };
      const { rows } = await sql<{ dropped: boolean }>`
        select drop_archived_month(${dataClass}, ${`${month}-01`}::date, ${done.rows}) as dropped
      `.execute(trx);
      if (rows[0]?.dropped !== true) return { kind: 'held', rows: done.rows };
      await forgetParts(trx, { dataClass, month });
      return { kind: 'purged', rows: done.rows };
    }
    default:
      return done satisfies never;
  }
}

/** Has the archive of a month begin anew: nothing of it has gone. */
export async function forgetParts(trx: Transaction<Database>, { dataClass, month }: Month): Promise<void> {
  await trx.deleteFrom('retention_parts').where('data_class', '=', dataClass).where('month', '=', month).execute();
}
