import { type Kysely, type Transaction, sql } from 'kysely';
import { z } from 'zod';
import type { ArchiveStore, Manifest } from './archive-store.ts';
import { partitionOf } from './run-data-retention-job.ts';
import type { Database } from '../../database/tables.ts';
import type { EffectResult } from '../../events/destination.ts';
import { LanewayError } from '../../runtime/errors.ts';

const ROWS_PER_PART = 20_000;
const MAX_PARTS = 10_000;

export interface Month {
  dataClass: string;
  month: string;
}

export const manifestKeyOf = ({ dataClass, month }: Month): string => `${dataClass}/${month}/manifest.json`;

export async function archiveMonth(
  db: Kysely<Database>,
  store: ArchiveStore,
  month: Month,
  signal: AbortSignal,
): Promise<EffectResult> {
  return await store.writeManifest(manifestKeyOf(month), await writeParts(db, store, month, signal), signal);
}

async function writeParts(
  db: Kysely<Database>,
  store: ArchiveStore,
  month: Month,
  signal: AbortSignal,
): Promise<Manifest> {
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
    const key = `${month.dataClass}/${month.month}/part-${String(n).padStart(5, '0')}.jsonl.gz`;
    const lines = rows.map(({ line }) => line);
    manifest.parts.push(await store.writePart(key, lines, signal));
    manifest.rows += rows.length;
    after = last.place;
  }
  throw new LanewayError('effect.rejected', `${part} does not fit into ${MAX_PARTS} parts`);
}

/** Drops the month, if it holds what was archived. False when a legal hold keeps it. */
export async function dropMonth(
  trx: Transaction<Database>,
  { dataClass, month }: Month,
  { actual }: EffectResult,
): Promise<boolean> {
  const { rows } = await sql<{ dropped: boolean }>`
    select drop_archived_month(${dataClass}, ${`${month}-01`}::date, ${z.int().parse(actual['rows'])}) as dropped
  `.execute(trx);
  return rows[0]?.dropped === true;
}
