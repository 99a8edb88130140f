import type { Generated } from 'kysely';

export interface RetentionTables {
  legal_holds: {
    hold_id: string;
    data_class: string;
    reason: string;
    placed_by: string;
    placed_at: Date;
    released_by: string | null;
    released_at: Date | null;
  };
  /** archiving ─► purged │ failed; held and dry-run change nothing, and give way to the next job of the month. */
  retention_runs: {
    data_class: string;
    /** `YYYY-MM` */
    month: string;
    state: 'dry-run' | 'held' | 'archiving' | 'purged' | 'failed';
    rows: number | null;
    /** How many chunks of it are in the archive, where rows go by chunks. */
    chunks: Generated<number>;
    /** Key of the manifest in the archive. */
    manifest: string | null;
    reason: string | null;
    started_at: Date;
    updated_at: Date;
  };
  /** What is in the archive of a month that is still there and will go at once. */
  retention_parts: {
    data_class: string;
    month: string;
    /** From one on. */
    part: number;
    key: string;
    rows: number;
    /** Of the compressed bytes, hexadecimal. */
    sha256: string;
    /** Where in the table's file its last row lies. */
    last_place: string;
  };
}
