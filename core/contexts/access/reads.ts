import { createHash } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';

export const hashApiKey = (key: string): Buffer => createHash('sha256').update(key, 'utf8').digest();

/** Whose key this is; undefined for one that is unknown or has expired. Keys are stored as hashes only. */
export async function merchantOfApiKey(db: Kysely<Database>, key: string): Promise<string | undefined> {
  const { rows } = await sql<{
    merchant: string | null;
  }>`select authenticate_api_key(${hashApiKey(key)}) as merchant`.execute(db);
  return rows[0]?.merchant ?? undefined;
}
