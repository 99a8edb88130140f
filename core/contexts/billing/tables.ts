import type { ColumnType, Generated } from 'kysely';

/** Prices of a plan. Amounts in minor units of its currency. */
export interface PlanPrices {
  planId: string;
  currency: string;
  baseFeeMinor: number;
  includedClicks: number;
  /** For each thousand clicks begun beyond those included. */
  clickThousandMinor: number;
  /** Millionths of what was spent on ads, in the currency of the spend. */
  spendFeePpm: number;
}

export interface InvoiceLine {
  kind: 'base' | 'usage' | 'ad_spend';
  description: string;
  amountMinor: number;
  /** What it was reckoned from: days, thousands of clicks, or millionths of the currency that were spent. */
  quantity: number;
}

/**
 * draft ─► open (finalised, to be paid) ─► paid │ uncollectible
 *   └────► paid, when there is nothing to pay
 * uncollectible ─► paid, when an attempt that was declined has gone through after all
 */
export type InvoiceStatus = 'draft' | 'open' | 'paid' | 'uncollectible';

export interface BillingTables {
  billing_plans: {
    plan_id: string;
    currency: string;
    base_fee_minor: number;
    included_clicks: number;
    click_thousand_minor: number;
    spend_fee_ppm: number;
  };
  /** Which plan a merchant has from a day on, until its next row. */
  billing_subscriptions: {
    merchant_id: string;
    from_day: string;
    /** Null: none any more. */
    plan_id: string | null;
    created_at: Date;
  };
  billing_accounts: {
    merchant_id: string;
    /** What the payment provider knows the merchant's means of payment by. */
    payment_method: string | null;
    updated_at: Date;
  };
  invoices: {
    merchant_id: string;
    billing_period: string;
    /** One invoice a currency: what was spent in another one is billed in that. */
    currency: string;
    invoice_number: string;
    status: InvoiceStatus;
    lines: ColumnType<InvoiceLine[], string, string>;
    total_minor: number;
    event_id: string;
    issued_at: Date;
    finalized_at: Date | null;
    paid_at: Date | null;
    payment_attempts: Generated<number>;
    updated_at: Date;
  };
  invoice_payments: {
    merchant_id: string;
    invoice_number: string;
    attempt: number;
    provider_id: string;
    amount_minor: number;
    currency: string;
    outcome: 'succeeded' | 'declined';
    decline_code: string | null;
    at: Date;
  };
}
