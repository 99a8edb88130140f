export interface PlatformTables {
  /**
   * planned ─► announced ─► under way ─► over
   *    └──────────┴────────────┴─────► cancelled
   */
  maintenance_windows: {
    window_id: string;
    starts_at: Date;
    ends_at: Date;
    /** Shown to merchants. */
    reason: string;
    planned_by: string;
    planned_at: Date;
    /** When every merchant had been told. */
    announced_at: Date | null;
    cancelled_by: string | null;
    cancelled_at: Date | null;
  };
  /** Where a merchant is set apart from its plan. */
  merchant_quotas: { merchant_id: string; resource: string; most: number; set_by: string; updated_at: Date };
}
