import { type Kysely, sql } from 'kysely';
import type { Registry } from '../events/registry.ts';
import type { Database } from './tables.ts';

/**
 * Says that this release reads these versions. A deployment does so after its migrations and before anything of it starts:
 * workers of the release before then leave what they cannot read yet in SQS for a while instead of giving it up. Needs the
 * owner of the database.
 */
export async function registerSchemaVersions(db: Kysely<Database>, registry: Registry, nowMs: number): Promise<void> {
  const rows = [...registry.values()].flatMap((event) =>
    event.versions.map(({ version }) => ({
      event_type: event.name,
      version,
      registered_at: new Date(nowMs),
    })),
  );
  if (rows.length > 0)
    await db
      .insertInto('event_schema_versions')
      .values(rows)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
}

/** Of (event type, major) pairs those that some release has registered, as `type major`. */
export async function registeredMajors(
  db: Kysely<Database>,
  eventTypes: readonly string[],
): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ pair: string }>`
    select distinct event_type || ' ' || split_part(version, '.', 1) as pair
    from event_schema_versions where event_type = any(${[...new Set(eventTypes)]}::text[])
  `.execute(db);
  return new Set(rows.map(({ pair }) => pair));
}
