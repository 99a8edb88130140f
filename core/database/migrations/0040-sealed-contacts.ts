import { type Kysely, sql } from 'kysely';

/**
 * Addresses of recipients, texts of notifications and secrets of endpoints, sealed. Rows from before keep what they have in
 * clear until they are written again.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table notification_recipients add column sealed bytea, add column key_id text;
    alter table notifications add column sealed bytea, add column key_id text;
    alter table webhook_endpoints add column sealed_secrets bytea, add column key_id text;

    update schema_info set version = greatest(version, 40);
  `.execute(db);
}
