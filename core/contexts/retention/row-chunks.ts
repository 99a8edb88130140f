import { createHash } from 'node:crypto';
import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import type { RetentionPolicy } from './policies.ts';

/** Rows that go together: they are read, archived and deleted as one, in one short transaction. */
export const CHUNK_ROWS = 5_000;

export type RowPolicy = RetentionPolicy & Required<Pick<RetentionPolicy, 'byRow'>>;

export interface Chunk {
  /** JSON of a row each, in the order of their key. */
  lines: readonly string[];
  /** Key of the last row; undefined when there is none. */
  last: readonly string[] | undefined;
  /** Of the lines as they lie in the archive, hexadecimal. */
  sha256: string;
}

/** The text of lines as archived: each ends with a newline. */
export const textOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

/**
 * The first rows of a month after a key. Keys travel as text and are brought back to the types of their columns.
 * @param after key of the last row before; undefined for the beginning
 */
export async function readChunk(
  db: Kysely<Database>,
  policy: RowPolicy,
  { month, after, lock = false }: { month: string; after: readonly string[] | undefined; lock?: boolean },
): Promise<Chunk> {
  const { rows } = await sql<{ line: string; key: string[] }>`
    select to_jsonb(t)::text as line, array[${columnsOf(policy, sql`::text`)}] as key
    from ${sql.table(policy.dataClass)} t
    where ${inMonth(policy, month)} ${isEnded(policy)} ${isAfter(policy, after)}
    order by ${columnsOf(policy, sql``)} limit ${CHUNK_ROWS} ${lock ? sql`for update` : sql``}
  `.execute(db);
  const lines = rows.map(({ line }) => line);
  return { lines, last: rows.at(-1)?.key, sha256: createHash('sha256').update(textOf(lines)).digest('hex') };
}

/** Deletes what `readChunk` reads. Resolves with how many rows that were. */
export async function deleteChunk(
  db: Kysely<Database>,
  policy: RowPolicy,
  { month, after, last }: { month: string; after: readonly string[] | undefined; last: readonly string[] },
): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from ${sql.table(policy.dataClass)} t
    where ${inMonth(policy, month)} ${isEnded(policy)} ${isAfter(policy, after)}
      and (${columnsOf(policy, sql``)}) <= (${keyOf(policy, last)})
  `.execute(db);
  return Number(numAffectedRows ?? 0n);
}

const columnsOf = ({ byRow }: RowPolicy, cast: RawBuilder<unknown>): RawBuilder<unknown> =>
  sql.join(byRow.key.map((name) => sql`t.${sql.ref(name)}${cast}`));

/** A key's values as what their columns hold. */
const keyOf = ({ dataClass, byRow }: RowPolicy, values: readonly string[]): RawBuilder<unknown> =>
  sql.join(
    byRow.key.map(
      (name, index) => sql`(jsonb_populate_record(null::${sql.table(dataClass)},
        jsonb_build_object(${name}::text, ${values[index] ?? ''}::text))).${sql.ref(name)}`,
    ),
  );

const isAfter = (policy: RowPolicy, after: readonly string[] | undefined): RawBuilder<unknown> =>
  after === undefined ? sql`` : sql`and (${columnsOf(policy, sql``)}) > (${keyOf(policy, after)})`;

/** Months are those of UTC, whatever the session's zone; a date has none. */
function inMonth({ byRow }: RowPolicy, month: string): RawBuilder<unknown> {
  const column = sql`t.${sql.ref(byRow.time)}`;
  const start = sql`(${`${month}-01T00:00:00.000Z`}::timestamptz at time zone 'UTC')`;
  const bound = (at: RawBuilder<unknown>) =>
    byRow.time.endsWith('_at') ? sql`(${at} at time zone 'UTC')` : sql`${at}::date`;
  return sql`${column} >= ${bound(start)} and ${column} < ${bound(sql`(${start} + interval '1 month')`)}`;
}

const isEnded = ({ byRow: { ended } }: RowPolicy): RawBuilder<unknown> =>
  ended === undefined ? sql`` : sql`and t.${sql.ref(ended.column)} <> all(${[...ended.not]}::text[])`;
