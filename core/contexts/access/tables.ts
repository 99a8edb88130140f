import type { ColumnType, Generated, GeneratedAlways } from 'kysely';
import type { Role } from './scopes.ts';

type OptionalJson = ColumnType<Record<string, unknown> | null, string | null | undefined, never>;

export interface AccessTables {
  merchants: { merchant_id: string; name: string; created_at: Date };
  users: {
    merchant_id: string;
    user_id: string;
    /** Encrypted under the user's own key, `key_id`. */
    name: Buffer | null;
    email: Buffer | null;
    key_id: string | null;
    role: Role;
    disabled_at: Generated<Date | null>;
    created_at: Date;
    updated_at: Date;
  };
  api_keys: {
    key_hash: Buffer;
    merchant_id: string;
    label: string;
    created_at: Date;
    expires_at: ColumnType<Date | null, Date | null | undefined>;
    /** Names the key without being it. Null for keys of the first release. */
    key_id: Generated<string | null>;
    /** Its first characters, by which a person recognises it. */
    shown: Generated<string | null>;
    /** Null: everything that its user may do. */
    scopes: Generated<string[] | null>;
    user_id: Generated<string | null>;
    revoked_at: Generated<Date | null>;
    replaced_by: Generated<string | null>;
  };
  idempotency_keys: {
    merchant_id: string;
    idempotency_key: string;
    request_hash: string;
    status: number;
    response: ColumnType<unknown, string>;
    created_at: Date;
  };
  /** Append-only, by trigger and by grants. */
  audit_log: {
    id: GeneratedAlways<number>;
    at: Date;
    merchant_id: string;
    /** `key:…`, `user:…` or `operator:…` */
    actor: string;
    /** `api_key.rotated` */
    action: string;
    subject: string;
    before: OptionalJson;
    after: OptionalJson;
    correlation_id: string;
  };
  audit_unexported: { id: number; at: Date };
}
