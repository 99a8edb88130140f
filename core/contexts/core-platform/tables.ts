import type { Generated } from 'kysely';

export interface CorePlatformTables {
  /** receiving ──the merchant starts it──► ready ──the schedule──► running ──► done │ failed */
  product_imports: {
    merchant_id: string;
    import_id: string;
    state: 'receiving' | 'ready' | 'running' | 'done' | 'failed';
    /** Of whole lines that are kept: where an upload that broke off goes on. */
    received_bytes: Generated<number>;
    received_lines: Generated<number>;
    parts: Generated<number>;
    /** The first part that was not worked. */
    next_part: Generated<number>;
    published: Generated<number>;
    refused: Generated<number>;
    /** The last event that was published: the next part waits until it was accepted. */
    last_event_id: string | null;
    failure: string | null;
    created_at: Date;
    updated_at: Date;
    finished_at: Date | null;
  };
  /** Lines as they were uploaded, until they were worked. */
  product_import_parts: { merchant_id: string; import_id: string; part: number; first_line: number; body: Buffer };
  product_import_errors: { merchant_id: string; import_id: string; line: number; path: string; message: string };
  product_pulls: {
    merchant_id: string;
    enabled: boolean;
    /** Where the next page of changes begins, as the core platform calls it. */
    cursor: string | null;
    published: Generated<number>;
    refused: Generated<number>;
    last_refusal: string | null;
    last_event_id: string | null;
    pulled_at: Date | null;
    failure: string | null;
    updated_at: Date;
  };
}
