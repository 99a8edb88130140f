/** How long a class of data stays in Postgres. What is older is archived and then dropped, a month at a time. */
export interface RetentionPolicy {
  /** The table, partitioned by month as `<table>_YYYYMM`. */
  dataClass: 'audit_log';
  /** Whole months that stay beside the current one. */
  keepMonths: number;
}

export const retentionPolicies: readonly RetentionPolicy[] = [{ dataClass: 'audit_log', keepMonths: 24 }];

/** The youngest month, `YYYY-MM`, that may go. */
export function youngestToGo({ keepMonths }: RetentionPolicy, nowMs: number): string {
  const now = new Date(nowMs);
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - keepMonths - 1, 1)).toISOString().slice(0, 7);
}
