import { createHash } from 'node:crypto';
import { type Kysely, type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import type { Grant, Role } from './scopes.ts';

export const hashApiKey = (key: string): Buffer => createHash('sha256').update(key, 'utf8').digest();

/** Who asks, and what they may. */
export interface Principal extends Grant {
  merchantId: string;
  /** Null for keys of the first release. */
  keyId: string | null;
  userId: string | null;
}

/**
 * Whose key this is; undefined for one that is unknown, revoked or expired, or whose user is disabled. Keys are stored as
 * hashes only.
 */
export async function principalOfApiKey(db: Kysely<Database>, key: string): Promise<Principal | undefined> {
  const { rows } = await sql<Principal>`
    select merchant_id as "merchantId", key_id as "keyId", scopes, user_id as "userId", role
    from authenticate_key(${hashApiKey(key)})
  `.execute(db);
  return rows[0];
}

export interface ApiKey {
  keyId: string;
  /** Its first characters. */
  shown: string;
  label: string;
  scopes: string[] | null;
  userId: string | null;
  createdAt: Date;
  expiresAt: Date | null;
  revokedAt: Date | null;
  replacedBy: string | null;
}

export async function listApiKeys(
  trx: Transaction<Database>,
  merchantId: string,
  { limit, after, keyId }: { limit: number; after?: string; keyId?: string },
): Promise<{ items: ApiKey[]; next: string | undefined }> {
  const { rows } = await sql<ApiKey>`
    select key_id as "keyId", shown, label, scopes, user_id as "userId", created_at as "createdAt",
      expires_at as "expiresAt", revoked_at as "revokedAt", replaced_by as "replacedBy"
    from api_keys where merchant_id = ${merchantId} and key_id > ${after ?? ''}
      and (${keyId ?? null}::text is null or key_id = ${keyId ?? null})
    order by key_id limit ${limit + 1}
  `.execute(trx);
  return pageOf(rows, limit, ({ keyId }) => keyId);
}

export interface UserRow {
  userId: string;
  name: Buffer | null;
  email: Buffer | null;
  keyId: string | null;
  role: Role;
  disabledAt: Date | null;
  createdAt: Date;
}

export async function listUsers(
  trx: Transaction<Database>,
  merchantId: string,
  { limit, after, userId }: { limit: number; after?: string; userId?: string },
): Promise<{ items: UserRow[]; next: string | undefined }> {
  const { rows } = await sql<UserRow>`
    select user_id as "userId", name, email, key_id as "keyId", role, disabled_at as "disabledAt",
      created_at as "createdAt"
    from users where merchant_id = ${merchantId} and user_id > ${after ?? ''}
      and (${userId ?? null}::text is null or user_id = ${userId ?? null})
    order by user_id limit ${limit + 1}
  `.execute(trx);
  return pageOf(rows, limit, (user) => user.userId);
}

export interface AuditEntry {
  id: number;
  at: Date;
  actor: string;
  action: string;
  subject: string;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
  correlationId: string;
}

/** Newest first; `after` is the id of the last one of the page before. */
export async function listAuditLog(
  trx: Transaction<Database>,
  merchantId: string,
  { limit, after }: { limit: number; after?: number },
): Promise<{ items: AuditEntry[]; next: string | undefined }> {
  const { rows } = await sql<AuditEntry>`
    select id, at, actor, action, subject, before, after, correlation_id as "correlationId" from audit_log
    where merchant_id = ${merchantId} and id < ${after ?? Number.MAX_SAFE_INTEGER} order by id desc limit ${limit + 1}
  `.execute(trx);
  return pageOf(rows, limit, ({ id }) => String(id));
}

function pageOf<T>(rows: readonly T[], limit: number, keyOf: (row: T) => string) {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, next: rows.length > limit && last !== undefined ? keyOf(last) : undefined };
}
