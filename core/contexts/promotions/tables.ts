import type { ColumnType, Generated } from 'kysely';
import type { Discount } from './discount.ts';
import type { Eligibility } from './eligibility.ts';

export type OfferState = 'draft' | 'scheduled' | 'running' | 'ended';
export type EndedBy = 'schedule' | 'budget' | 'merchant';

type Json<T> = ColumnType<T, string, string>;

export interface PromotionsTables {
  /** draft ──► scheduled ──its start──► running ──its end, its budget, the merchant──► ended */
  offers: {
    merchant_id: string;
    offer_id: string;
    name: string;
    state: OfferState;
    discount: Json<Discount>;
    eligibility: Json<Eligibility>;
    stacking: 'exclusive' | 'stackable';
    /** Of offers that stack, the smallest is taken off first. */
    priority: number;
    starts_at: Date;
    ends_at: Date | null;
    /** Of all its amounts. */
    currency: string;
    /** Minor units that it may take off orders altogether; null: no limit. */
    budget_minor: number | null;
    spent_minor: Generated<number>;
    /** Campaigns that run while the offer does. */
    campaign_ids: Generated<string[]>;
    /** Counts its starts and ends. */
    turns: Generated<number>;
    turned_at: Date | null;
    /** When its schedule has something to do. */
    due_at: Date | null;
    ended_by: EndedBy | null;
    created_at: Date;
    updated_at: Date;
  };
  /** What the newest state of an order says that offers took off it. */
  offer_discounts: { merchant_id: string; order_id: string; offer_id: string; amount_minor: number; currency: string };
  /** Which state of an order `offer_discounts` shows. */
  discounted_orders: { merchant_id: string; order_id: string; source_at: Date; source_event_id: string };
  /** Grows with every change of what products cost. */
  sales_versions: { merchant_id: string; version: number };
}
