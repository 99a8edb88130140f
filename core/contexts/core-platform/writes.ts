import { type Kysely, type Transaction, sql } from 'kysely';
import type { LineError } from './reads.ts';
import type { LinePart } from './split-lines.ts';
import type { Database } from '../../database/tables.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { newId } from '../../runtime/ids.ts';

/** Imports of a merchant that are not over. */
export const MAX_OPEN_IMPORTS = 5;
export const MAX_IMPORT_BYTES = 268_435_456;
/** Refused lines that are kept one by one; the others are counted. */
export const MAX_LINE_ERRORS = 1_000;

/** Throws `imports.too_many`. */
export async function createImport(trx: Transaction<Database>, merchantId: string, nowMs: number): Promise<string> {
  const { open } = await trx
    .selectFrom('product_imports')
    .select((select) => select.fn.countAll<number>().as('open'))
    .where('merchant_id', '=', merchantId)
    .where('state', 'in', ['receiving', 'ready', 'running'])
    .executeTakeFirstOrThrow();
  if (open >= MAX_OPEN_IMPORTS)
    throw new LanewayError('imports.too_many', `${MAX_OPEN_IMPORTS} imports are open; start or wait for one of them.`);
  const importId = `imp-${newId()}`;
  const now = new Date(nowMs);
  await trx
    .insertInto('product_imports')
    .values({ merchant_id: merchantId, import_id: importId, state: 'receiving', created_at: now, updated_at: now })
    .execute();
  return importId;
}

/**
 * Keeps a part of an upload that begins at `from`. Throws `imports.illegal_state` when the import takes nothing any more, or
 * holds more or less than that already: then somebody else uploads to it too, or an upload has to go on somewhere else.
 */
export async function keepPart(
  trx: Transaction<Database>,
  { merchantId, importId, from }: { merchantId: string; importId: string; from: number },
  { body, lines }: LinePart,
  nowMs: number,
): Promise<void> {
  const row = await trx
    .updateTable('product_imports')
    .set((set) => ({
      received_bytes: set('received_bytes', '+', body.length),
      received_lines: set('received_lines', '+', lines),
      parts: set('parts', '+', 1),
      updated_at: new Date(nowMs),
    }))
    .where('merchant_id', '=', merchantId)
    .where('import_id', '=', importId)
    .where('state', '=', 'receiving')
    .where('received_bytes', '=', from)
    .returning(['parts', 'received_lines as receivedLines'])
    .executeTakeFirst();
  if (row === undefined)
    throw new LanewayError(
      'imports.illegal_state',
      `The import does not go on at byte ${from}; read it to see where it does.`,
    );
  await trx
    .insertInto('product_import_parts')
    .values({
      merchant_id: merchantId,
      import_id: importId,
      part: row.parts - 1,
      first_line: row.receivedLines - lines + 1,
      body,
    })
    .execute();
}

/** receiving → ready. Doing it again changes nothing. Throws `resource.not_found` and `imports.illegal_state`. */
export async function startImport(
  trx: Transaction<Database>,
  merchantId: string,
  importId: string,
  nowMs: number,
): Promise<void> {
  const row = await trx
    .selectFrom('product_imports')
    .select(['state', 'parts'])
    .where('merchant_id', '=', merchantId)
    .where('import_id', '=', importId)
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) throw new LanewayError('resource.not_found', `There is no import ${importId}.`);
  if (row.state !== 'receiving') return;
  if (row.parts === 0) throw new LanewayError('imports.illegal_state', 'Nothing was uploaded to the import yet.');
  await trx
    .updateTable('product_imports')
    .set({ state: 'ready', updated_at: new Date(nowMs) })
    .where('merchant_id', '=', merchantId)
    .where('import_id', '=', importId)
    .execute();
}

/** Of a part that is worked again, the same lines are refused again. */
export async function keepLineErrors(
  db: Kysely<Database>,
  { merchantId, importId }: { merchantId: string; importId: string },
  errors: readonly LineError[],
): Promise<void> {
  if (errors.length === 0) return;
  await sql`
    insert into product_import_errors (merchant_id, import_id, line, path, message)
    select ${merchantId}, ${importId}, * from unnest(${errors.map((e) => e.line)}::bigint[],
      ${errors.map((e) => e.path.slice(0, 500))}::text[], ${errors.map((e) => e.message.slice(0, 500))}::text[])
    limit greatest(0, ${MAX_LINE_ERRORS} - (select count(*) from product_import_errors
      where merchant_id = ${merchantId} and import_id = ${importId}))
    on conflict do nothing
  `.execute(db);
}

/** Turns the pulling of product changes on or off. The cursor stays: what changed meanwhile is pulled later. */
export async function enablePull(
  trx: Transaction<Database>,
  merchantId: string,
  enabled: boolean,
  nowMs: number,
): Promise<void> {
  const fields = { enabled, updated_at: new Date(nowMs) };
  await trx
    .insertInto('product_pulls')
    .values({ merchant_id: merchantId, ...fields })
    .onConflict((conflict) => conflict.column('merchant_id').doUpdateSet(fields))
    .execute();
}
