import type { Generated } from 'kysely';

export interface ScheduleTables {
  /**
   * running ─► done
   *
   * One row for each period that was begun. Its key is what makes a period happen once.
   */
  schedule_periods: {
    job: string;
    /** When the period begins. */
    period: Date;
    state: 'running' | 'done';
    /** Where the next page begins. */
    after: string;
    events: Generated<number>;
    pages: Generated<number>;
    /** Older periods that nobody worked were left out before this one. */
    left_out: Generated<boolean>;
    started_at: Date;
    updated_at: Date;
    finished_at: Date | null;
  };
}
