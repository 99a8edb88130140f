export const dataClasses = [
  'audit_log',
  'ad_performance',
  'attributed_orders',
  'order_lines',
  'notifications',
  'notification_requests',
  'webhook_deliveries',
  'webhook_attempts',
  'affiliate_clicks',
] as const;

export type DataClass = (typeof dataClasses)[number];

/**
 * How long a class of data stays in Postgres. What is older is archived and then goes: a table that is partitioned as
 * `<table>_YYYYMM` loses a month at once, of any other one the rows go, a chunk at a time.
 */
export interface RetentionPolicy {
  /** The table. */
  dataClass: DataClass;
  /** Whole months that stay beside the current one. */
  keepMonths: number;
  /** Undefined for a table that is partitioned by month. */
  byRow?: {
    /** A date, or a time with its zone. */
    time: string;
    /** Primary key, in its order. */
    key: readonly [string, ...string[]];
    /** Ended: rows that something still happens to stay. */
    ended?: { column: string; not: readonly string[] };
  };
}

/**
 * Facts stay for two years beside the current one, so that a year can be compared with the one before; what was told whom,
 * for one. Invoices, the affiliates' ledger and sums of days are accounts: they stay. The inbox and what belongs to it have
 * a horizon of their own, in days.
 */
export const retentionPolicies: readonly RetentionPolicy[] = [
  { dataClass: 'audit_log', keepMonths: 24 },
  {
    dataClass: 'ad_performance',
    keepMonths: 25,
    byRow: {
      time: 'report_date',
      key: ['merchant_id', 'report_date', 'ad_network_id', 'campaign_id', 'ad_set_id', 'ad_id'],
    },
  },
  { dataClass: 'attributed_orders', keepMonths: 25, byRow: { time: 'order_day', key: ['merchant_id', 'order_id'] } },
  {
    dataClass: 'order_lines',
    keepMonths: 25,
    byRow: { time: 'order_day', key: ['merchant_id', 'order_id', 'product_id'] },
  },
  {
    dataClass: 'notifications',
    keepMonths: 13,
    byRow: {
      time: 'requested_at',
      key: ['merchant_id', 'notification_key'],
      ended: { column: 'status', not: ['queued', 'digested', 'sending'] },
    },
  },
  {
    dataClass: 'notification_requests',
    keepMonths: 13,
    byRow: { time: 'requested_at', key: ['merchant_id', 'notification_key', 'event_id'] },
  },
  {
    dataClass: 'webhook_deliveries',
    keepMonths: 3,
    byRow: {
      time: 'created_at',
      key: ['merchant_id', 'endpoint_id', 'sequence'],
      ended: { column: 'status', not: ['pending'] },
    },
  },
  { dataClass: 'webhook_attempts', keepMonths: 3 },
  { dataClass: 'affiliate_clicks', keepMonths: 25 },
];

/** The youngest month, `YYYY-MM`, that may go. */
export function youngestToGo({ keepMonths }: RetentionPolicy, nowMs: number): string {
  const now = new Date(nowMs);
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - keepMonths - 1, 1)).toISOString().slice(0, 7);
}

export function policyOf(dataClass: string): RetentionPolicy | undefined {
  return retentionPolicies.find((policy) => policy.dataClass === dataClass);
}
