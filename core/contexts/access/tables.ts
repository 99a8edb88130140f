import type { ColumnType } from 'kysely';

export interface AccessTables {
  merchants: { merchant_id: string; name: string; created_at: Date };
  api_keys: {
    key_hash: Buffer;
    merchant_id: string;
    label: string;
    created_at: Date;
    expires_at: ColumnType<Date | null, Date | null | undefined>;
  };
  idempotency_keys: {
    merchant_id: string;
    idempotency_key: string;
    request_hash: string;
    status: number;
    response: ColumnType<unknown, string>;
    created_at: Date;
  };
}
