import { type Kysely, type Transaction, sql } from 'kysely';
import type { CorePlatformTables } from './tables.ts';
import type { Database } from '../../database/tables.ts';

export interface ProductImport {
  importId: string;
  state: CorePlatformTables['product_imports']['state'];
  receivedBytes: number;
  receivedLines: number;
  published: number;
  refused: number;
  failure: string | null;
  createdAt: Date;
  finishedAt: Date | null;
}

const importColumns = [
  'import_id as importId',
  'state',
  'received_bytes as receivedBytes',
  'received_lines as receivedLines',
  'published',
  'refused',
  'failure',
  'created_at as createdAt',
  'finished_at as finishedAt',
] as const;

export async function getImport(
  trx: Transaction<Database>,
  merchantId: string,
  importId: string,
): Promise<ProductImport | undefined> {
  return await trx
    .selectFrom('product_imports')
    .select(importColumns)
    .where('merchant_id', '=', merchantId)
    .where('import_id', '=', importId)
    .executeTakeFirst();
}

/** The latest first. */
export async function listImports(trx: Transaction<Database>, merchantId: string): Promise<ProductImport[]> {
  return await trx
    .selectFrom('product_imports')
    .select(importColumns)
    .where('merchant_id', '=', merchantId)
    .orderBy('created_at', 'desc')
    .limit(100)
    .execute();
}

export interface LineError {
  line: number;
  path: string;
  message: string;
}

export async function listImportErrors(
  trx: Transaction<Database>,
  merchantId: string,
  importId: string,
  { after, limit }: { after: number; limit: number },
): Promise<LineError[]> {
  return await trx
    .selectFrom('product_import_errors')
    .select(['line', 'path', 'message'])
    .where('merchant_id', '=', merchantId)
    .where('import_id', '=', importId)
    .where('line', '>', after)
    .orderBy('line')
    .limit(limit)
    .execute();
}

export interface ProductPull {
  enabled: boolean;
  cursor: string | null;
  published: number;
  refused: number;
  lastRefusal: string | null;
  pulledAt: Date | null;
  failure: string | null;
}

export async function readPull(trx: Transaction<Database>, merchantId: string): Promise<ProductPull | undefined> {
  return await trx
    .selectFrom('product_pulls')
    .select([
      'enabled',
      'cursor',
      'published',
      'refused',
      'last_refusal as lastRefusal',
      'pulled_at as pulledAt',
      'failure',
    ])
    .where('merchant_id', '=', merchantId)
    .executeTakeFirst();
}

/** Events of a merchant that may wait for its lane before bulk work adds to them. */
export const MAX_WAITING = 1_000;

/**
 * Whether a merchant's lane has room for more bulk work: the last event that was published for it was accepted, so that no
 * more than one part is ever in the queue that all merchants share, and few enough wait in its own lane.
 */
export async function hasRoom(db: Kysely<Database>, merchantId: string, lastEventId: string | null): Promise<boolean> {
  const { rows } = await sql<{ room: boolean }>`
    select (${lastEventId}::text is null
        or exists (select from accepted where merchant_id = ${merchantId} and event_id = ${lastEventId}))
      and coalesce((select m.next_mseq - 1 - coalesce(l.cursor, 0) < ${MAX_WAITING} from mailbox m
        left join lanes l on l.merchant_id = m.merchant_id where m.merchant_id = ${merchantId}), true) as room
  `.execute(db);
  return rows[0]?.room === true;
}
