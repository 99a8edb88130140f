import { type Kysely, type Transaction, sql } from 'kysely';
import { z } from 'zod';
import type { ArchiveStore } from './archive-store.ts';
import type { Month } from './archive-month.ts';
import { CHUNK_ROWS, type RowPolicy, deleteChunk, readChunk } from './row-chunks.ts';
import type { Database } from '../../database/tables.ts';
import type { EffectResult } from '../../events/destination.ts';
import { LanewayError } from '../../runtime/errors.ts';

/** The rows of a month that follow a key, archived and deleted together. */
export interface WantedChunk extends Month {
  /** Numbers what is archived of a month; no number is written twice. */
  chunk: number;
  /** Key of the last row of the chunk before; null for the first. */
  after: readonly string[] | null;
}

export const chunkKeyOf = ({ dataClass, month, chunk }: WantedChunk): string =>
  `${dataClass}/${month}/chunk-${String(chunk).padStart(6, '0')}`;
export const chunkManifestOf = (wanted: WantedChunk): string => `${chunkKeyOf(wanted)}/manifest.json`;

/**
 * Archives the chunk, unless that was done: the rows of an archive that is there may be gone, so that it is never written
 * over, not even when it is damaged.
 */
export async function archiveChunk(
  db: Kysely<Database>,
  store: ArchiveStore,
  { policy, wanted }: { policy: RowPolicy; wanted: WantedChunk },
  signal: AbortSignal,
): Promise<EffectResult> {
  const manifestKey = chunkManifestOf(wanted);
  const there = await store.verify(manifestKey, signal);
  if (there === 'damaged') throw new LanewayError('effect.rejected', `the archive of ${manifestKey} is damaged`);
  if (there !== undefined) return there;
  const { dataClass, month, after } = wanted;
  const { lines, sha256 } = await readChunk(db, policy, { month, after: after ?? undefined });
  if (lines.length === 0) return { externalId: manifestKey, actual: { rows: 0, contentSha256: sha256 } };
  const part = await store.writePart(`${chunkKeyOf(wanted)}/rows.jsonl.gz`, lines, signal);
  return await store.writeManifest(manifestKey, { dataClass, month, rows: lines.length, parts: [part] }, signal);
}

export type ChunkEnd =
  | { kind: 'held' }
  /** The month holds rows still. */
  | { kind: 'more'; rows: number; next: WantedChunk }
  | { kind: 'finished'; rows: number };

/**
 * Deletes the rows of the chunk, if they are to the byte what was archived. If anything changed meanwhile they stay, for
 * another chunk.
 */
export async function purgeChunk(
  trx: Transaction<Database>,
  { policy, wanted }: { policy: RowPolicy; wanted: WantedChunk },
  { actual }: EffectResult,
): Promise<ChunkEnd> {
  const { rows: allowed } = await sql<{ may: boolean }>`
    select retention_may_purge(${wanted.dataClass}) as may
  `.execute(trx);
  if (allowed[0]?.may !== true) return { kind: 'held' };
  const place = { month: wanted.month, after: wanted.after ?? undefined };
  const { lines, last, sha256 } = await readChunk(trx, policy, { ...place, lock: true });
  const next = { ...wanted, chunk: wanted.chunk + 1 };
  if (sha256 !== z.string().parse(actual['contentSha256'])) return { kind: 'more', rows: 0, next };
  if (last === undefined) return { kind: 'finished', rows: 0 };
  const deleted = await deleteChunk(trx, policy, { ...place, last });
  if (deleted !== lines.length)
    throw new Error(`${deleted} rows of ${wanted.dataClass} were to be deleted, ${lines.length} are archived`);
  return deleted < CHUNK_ROWS
    ? { kind: 'finished', rows: deleted }
    : { kind: 'more', rows: deleted, next: { ...next, after: last } };
}
