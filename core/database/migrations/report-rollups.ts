import { type Kysely, type QueryExecutorProvider, sql } from 'kysely';

/** A table whose rows are sums of the rows of another one, kept by triggers on that. */
export interface Rollup {
  to: string;
  /** Columns of the sums' primary key after `merchant_id`, each with what it is of the row that is summed. */
  keys: Readonly<Record<string, string>>;
  /** Columns of both tables that are added up, each with its type in the sums. */
  sums: Readonly<Record<string, string>>;
  /** A condition on the rows that count; all of them without. */
  where?: string;
  /** By what the rows under a sum `t` are found. */
  rowsOf: string;
}

const changesOf = {
  insert: 'select 1 as sign, n.* from new_rows n',
  update: 'select 1 as sign, n.* from new_rows n union all select -1, o.* from old_rows o',
  delete: 'select -1 as sign, o.* from old_rows o',
} as const;

type Operation = keyof typeof changesOf;

const keysOf = ({ keys }: Rollup): string => ['merchant_id', ...Object.keys(keys)].join(', ');

const picksOf = ({ keys }: Rollup): string =>
  ['merchant_id', ...Object.entries(keys).map(([column, pick]) => `${pick} as ${column}`)].join(', ');

/** So that 0.5 and 0.5 make 1 and not 1.0, whatever was added and taken away in between. */
const trimmed = (type: string, sum: string): string => (type === 'numeric' ? `trim_scale(${sum})` : sum);

/** Adds the differences that a statement made, in the order of the keys. */
const addDifferences = (rollup: Rollup, operation: Operation): string => {
  const { to, sums, where = 'true' } = rollup;
  return `
    insert into ${to} as held (${keysOf(rollup)}, parts, ${Object.keys(sums).join(', ')}, as_of)
    select ${picksOf(rollup)}, sum(sign),
      ${Object.entries(sums)
        .map(([column, type]) => trimmed(type, `sum(sign * ${column}::${type})`))
        .join(', ')},
      coalesce(max(as_of) filter (where sign = 1), '-infinity')
    from (${changesOf[operation]}) changes where ${where}
    group by ${keysOf(rollup)} order by ${keysOf(rollup)}
    on conflict (${keysOf(rollup)}) do update set parts = held.parts + excluded.parts,
      ${Object.entries(sums)
        .map(([column, type]) => `${column} = ${trimmed(type, `held.${column} + excluded.${column}`)}`)
        .join(', ')},
      as_of = greatest(held.as_of, excluded.as_of);`;
};

/**
 * A sum whose newest row became older, or is gone, is as of the newest that is left; one that nothing is left of goes, at the
 * latest with the last trigger of a statement that updates and deletes. The rows are read by a statement of their own: it sees
 * what was committed while the one before waited for the sum.
 */
const lookAgain = (from: string, rollup: Rollup, operation: Operation): string => {
  const { to, where = 'true', rowsOf } = rollup;
  const older = `
    select ${picksOf(rollup)}, max(as_of) filter (where sign = -1) as before
    from (${changesOf[operation]}) changes where ${where}
    group by ${keysOf(rollup)}
    having max(as_of) filter (where sign = -1) > coalesce(max(as_of) filter (where sign = 1), '-infinity')`;
  const same = ['merchant_id', ...Object.keys(rollup.keys)].map((column) => `t.${column} = o.${column}`).join(' and ');
  return `
    if exists (${older}) then
      delete from ${to} t using (${older}) o where ${same} and t.parts = 0;
      update ${to} t set as_of = coalesce((select max(f.as_of) from ${from} f
        where f.merchant_id = t.merchant_id and ${rowsOf}), '-infinity')
      from (${older}) o where ${same} and t.as_of = o.before;
    end if;`;
};

/**
 * Has every statement that writes to `from` keep the sums, whatever it is and whichever release it comes from.
 * @param first what else is to be done, by the operation; it sees `new_rows` and `old_rows` as far as there are any
 */
export async function keepRollups(
  db: Kysely<unknown>,
  from: string,
  rollups: readonly Rollup[],
  first: (operation: Operation) => string = () => '',
): Promise<void> {
  for (const operation of ['insert', 'update', 'delete'] as const) {
    const name = `roll_up_${operation}_of_${from}`;
    const transition = {
      insert: 'new table as new_rows',
      update: 'old table as old_rows new table as new_rows',
      delete: 'old table as old_rows',
    }[operation];
    const steps = rollups.flatMap((rollup) => [
      addDifferences(rollup, operation),
      ...(operation === 'insert' ? [] : [lookAgain(from, rollup, operation)]),
    ]);
    await sql`
      create function ${sql.id(name)}() returns trigger language plpgsql as $body$
      begin
        if not exists (select from ${sql.raw(operation === 'insert' ? 'new_rows' : 'old_rows')}) then return null; end if;
        ${sql.raw(first(operation))}
        ${sql.raw(steps.join('\n'))}
        return null;
      end
      $body$;
      create trigger roll_up_${sql.raw(operation)} after ${sql.raw(operation)} on ${sql.table(from)}
        referencing ${sql.raw(transition)} for each statement execute function ${sql.id(name)}();
    `.execute(db);
  }
}

/** Makes the sums of the rows that are there. */
export async function fillRollup(db: QueryExecutorProvider, from: string, rollup: Rollup): Promise<void> {
  const { to, sums, where = 'true' } = rollup;
  await sql`
    insert into ${sql.table(to)} (${sql.raw(keysOf(rollup))}, parts, ${sql.raw(Object.keys(sums).join(', '))}, as_of)
    select ${sql.raw(picksOf(rollup))}, count(*),
      ${sql.raw(
        Object.entries(sums)
          .map(([column, type]) => trimmed(type, `sum(${column}::${type})`))
          .join(', '),
      )}, max(as_of)
    from ${sql.table(from)} where ${sql.raw(where)} group by ${sql.raw(keysOf(rollup))}
  `.execute(db);
}
