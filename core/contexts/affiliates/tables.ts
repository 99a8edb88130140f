import type { Generated } from 'kysely';

export type AttributionRule = 'last_click' | 'first_click';

export interface AffiliatesTables {
  affiliate_programs: { merchant_id: string; window_days: number; rule: AttributionRule; updated_at: Date };
  affiliates: {
    merchant_id: string;
    affiliate_id: string;
    name: string;
    state: Generated<'active' | 'paused'>;
    /** Parts per million of what an order is worth. */
    commission_ppm: number;
    /** Keyed hash of the customer that the affiliate is: orders of its own earn nothing. */
    customer_subject: Buffer | null;
    /** The same in clear, in rows of earlier releases alone. */
    customer_ref: string | null;
    updated_at: Date;
  };
  affiliate_links: { code: string; merchant_id: string; affiliate_id: string; target_url: string; created_at: Date };
  /** Append-only, partitioned by month. */
  affiliate_clicks: {
    merchant_id: string;
    click_id: string;
    code: string;
    affiliate_id: string;
    clicked_at: Date;
    /** Keyed hash of address and browser: tells visitors apart and says nothing about them. */
    visitor_hash: string;
  };
  affiliate_conversions: {
    merchant_id: string;
    order_id: string;
    affiliate_id: string | null;
    status: 'attributed' | 'unattributed' | 'withheld';
    reason: string | null;
    amount_minor: number;
    currency: string;
    commission_minor: number;
    occurred_at: Date;
    event_id: string;
  };
  affiliate_refunds: {
    merchant_id: string;
    order_id: string;
    refund_id: string;
    amount_minor: number;
    occurred_at: Date;
  };
  /**
   * The ledger, append-only: every row moves an amount from one account to another, so that all accounts together are zero at
   * any time.
   */
  affiliate_transfers: {
    merchant_id: string;
    transfer_id: string;
    affiliate_id: string;
    kind: 'commission' | 'clawback' | 'payout';
    debit_account: string;
    credit_account: string;
    amount_minor: number;
    currency: string;
    order_id: string | null;
    occurred_at: Date;
    recorded_at: Date;
  };
  affiliate_flags: {
    merchant_id: string;
    affiliate_id: string;
    kind: 'self_referral' | 'conversion_burst';
    /** What it is about: an order, or an hour. */
    subject: string;
    flagged_at: Date;
  };
  affiliate_statements: {
    merchant_id: string;
    affiliate_id: string;
    period: string;
    currency: string;
    commission_minor: number;
    clawback_minor: number;
    /** Of earlier periods: what was not paid out, or is still owed by the affiliate. */
    carried_minor: number;
    payout_minor: number;
    issued_at: Date;
  };
}
