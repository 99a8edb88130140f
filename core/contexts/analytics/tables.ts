import type { Generated } from 'kysely';

export interface AnalyticsTables {
  product_dimensions: {
    merchant_id: string;
    product_id: string;
    title: string | null;
    brand: string | null;
    active: boolean;
    /** With `source_mseq`, the change that the row shows. */
    source_at: Date;
    source_mseq: Generated<number>;
    /** Counts every event applied to the product, stale ones too: an event applied twice shows here. */
    changes: Generated<number>;
    updated_at: Date;
  };
  ad_performance: {
    merchant_id: string;
    report_date: string;
    ad_network_id: string;
    campaign_id: Generated<string>;
    ad_set_id: Generated<string>;
    ad_id: Generated<string>;
    impressions: number;
    clicks: number;
    conversions: number;
    spend_micros: number;
    currency: string;
    source_at: Date;
    source_event_id: string;
    updated_at: Date;
  };
}
