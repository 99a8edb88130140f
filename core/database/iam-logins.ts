import { type Kysely, sql } from 'kysely';
import type { Database } from './tables.ts';

/** The roles as whom processes and operators sign in; migrations make them without a way to. */
const roles = ['laneway_worker', 'laneway_gateway', 'laneway_reader', 'laneway_operator'];

/**
 * Lets the roles sign in by IAM where Postgres is one of RDS, which is where `rds_iam` exists; elsewhere does nothing. A role
 * that has it can sign in by no password. Resolves with the roles it let.
 */
export async function allowIamLogins(db: Kysely<Database>): Promise<readonly string[]> {
  const { rows } = await sql<{ rolname: string }>`select rolname from pg_roles where rolname = 'rds_iam'`.execute(db);
  if (rows.length === 0) return [];
  for (const role of roles) {
    await sql`alter role ${sql.id(role)} login`.execute(db);
    await sql`grant rds_iam to ${sql.id(role)}`.execute(db);
  }
  return roles;
}
