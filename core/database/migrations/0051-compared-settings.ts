import { type Kysely, sql } from 'kysely';

/** What a network showed of settings of an ad set or ad when it was told of them again. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table ad_object_network_states add column shown jsonb;

    update schema_info set version = greatest(version, 51);
  `.execute(db);
}
