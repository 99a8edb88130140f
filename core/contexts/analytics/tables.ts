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
  /** What a product was called, and whether it was offered, from a moment at its source until the next version. */
  product_versions: {
    merchant_id: string;
    product_id: string;
    valid_from: Date;
    /** Null for the version that holds. */
    valid_to: Date | null;
    title: string | null;
    brand: string | null;
    active: boolean;
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
  /** For how long after a click or a view an order counts as brought by it. */
  attribution_windows: { merchant_id: string; click_days: number; view_days: number; updated_at: Date };
  attributed_orders: {
    merchant_id: string;
    order_id: string;
    order_day: string;
    /** Empty, like the campaign, when no ad had a part in it. */
    ad_network_id: Generated<string>;
    campaign_id: Generated<string>;
    touch: 'click' | 'view' | null;
    /** False for an order that was cancelled. */
    counts: boolean;
    /** What is left after refunds, in minor units of `currency`. */
    revenue_minor: number;
    currency: string;
    source_at: Date;
    source_event_id: string;
    updated_at: Date;
  };
  /** Sums of `attributed_orders`. */
  order_days: {
    merchant_id: string;
    day: string;
    ad_network_id: string;
    campaign_id: string;
    currency: string;
    orders: number;
    revenue_minor: number;
    as_of: Date;
  };
  /** `attributed_orders` by product; together the lines of an order are its revenue. */
  order_lines: {
    merchant_id: string;
    order_id: string;
    /** Empty for what of the order belongs to no product. */
    product_id: string;
    order_day: string;
    ad_network_id: string;
    campaign_id: string;
    counts: boolean;
    units: number;
    revenue_minor: number;
    currency: string;
    source_at: Date;
  };
  /** Sums of `order_lines`. */
  product_days: {
    merchant_id: string;
    day: string;
    ad_network_id: string;
    campaign_id: string;
    product_id: string;
    currency: string;
    orders: number;
    units: number;
    revenue_minor: number;
    /** Its share of what the campaign spent on the day; triggers keep it, and all tables below. */
    spend_micros: Generated<number>;
    as_of: Date;
  };
  /**
   * Sums of `ad_performance`, each campaign at the coarsest level that its network reported. `is_account`: of a whole account,
   * which counts only beside nothing finer (`counted-once.ts`).
   */
  ad_days: {
    merchant_id: string;
    day: string;
    ad_network_id: string;
    campaign_id: string;
    currency: string;
    is_account: boolean;
    impressions: number;
    clicks: number;
    conversions: number;
    spend_micros: number;
    as_of: Date;
  };
  /** Sums of `ad_days` by network, of accounts apart from those of campaigns. */
  ad_network_days: AdSums & { day: string; is_account: boolean };
  /** Sums of `ad_days` by month, which is its first day, without accounts. */
  ad_months: AdSums & { month: string; campaign_id: string };
  /** Sums of `order_days` by network. */
  order_network_days: OrderSums & { day: string; ad_network_id: string };
  order_months: OrderSums & { month: string; ad_network_id: string; campaign_id: string };
  /** Sums of `product_days` by third of a month, which begin on the 1st, the 11th and the 21st. */
  product_thirds: OrderSums & { third: string; product_id: string; units: number; spend_micros: number };
}

interface AdSums {
  merchant_id: string;
  ad_network_id: string;
  currency: string;
  /** How many rows are in the sums. */
  parts: number;
  impressions: number;
  clicks: number;
  conversions: string;
  spend_micros: number;
  as_of: Date;
}

interface OrderSums {
  merchant_id: string;
  currency: string;
  parts: number;
  orders: number;
  revenue_minor: number;
  as_of: Date;
}
