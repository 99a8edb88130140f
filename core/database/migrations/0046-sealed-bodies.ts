import { type Kysely, sql } from 'kysely';

/**
 * Which customer an affiliate is, as a keyed hash, and what webhooks say about a person, sealed. Rows from before keep what
 * they have in clear: a reference until the affiliate is saved again or the customer erased, a body until its retention ends.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table affiliates add column customer_subject bytea;
    alter table webhook_deliveries add column sealed bytea, add column key_id text;

    update schema_info set version = greatest(version, 46);
  `.execute(db);
}
