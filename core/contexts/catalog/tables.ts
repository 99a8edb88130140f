import type { ColumnType, Generated } from 'kysely';
import type { FeedIssue } from './feeds/feed-item.ts';
import type { FeedAccount, FeedNetworkId } from './feeds/feed-account.ts';

/**
 * invalid: left out, see the issues. pending: in a run that is on its way. submitted: the network took it and has not been
 * asked what became of it. accepted: it shows what was sent. rejected: it refused it, at once or later. removing and removed:
 * the same for what is no longer offered.
 */
export type FeedItemState = 'invalid' | 'pending' | 'submitted' | 'accepted' | 'rejected' | 'removing' | 'removed';

export interface CatalogTables {
  products: {
    merchant_id: string;
    product_id: string;
    title: string | null;
    /** Minor units of `currency`. */
    price_minor: number | null;
    currency: string | null;
    availability: string | null;
    /** All attributes as merged from the events. */
    attributes: ColumnType<Record<string, unknown>, string>;
    /** When the product changed at its source: an older change never overwrites a newer one. */
    source_at: Date;
    /** The mseq of that change: of two changes of one moment the one accepted later wins. */
    source_mseq: Generated<number>;
    /** Counts the changes that took effect. */
    revision: Generated<number>;
    deleted_at: Date | null;
    updated_at: Date;
  };
  product_variants: {
    merchant_id: string;
    product_id: string;
    variant_id: string;
    /** All attributes as merged from the events; those of the product apply where one is missing. */
    attributes: ColumnType<Record<string, unknown>, string>;
    source_at: Date;
    source_mseq: number;
    deleted_at: Date | null;
    updated_at: Date;
  };
  catalog_feeds: {
    merchant_id: string;
    feed_id: string;
    network: FeedNetworkId;
    account: ColumnType<FeedAccount, string>;
    state: Generated<'active' | 'paused'>;
    /** How often changes are submitted. */
    refresh_minutes: number;
    /** How often everything is, changed or not. */
    full_refresh_hours: number;
    /** Numbers the runs of the feed. */
    last_run: Generated<number>;
    last_full_at: Date | null;
    /** The state of the merchant's offers that the last run carried. */
    offers_version: Generated<number>;
    /** When the next run is to begin, and of which kind. */
    due_at: Date | null;
    due_mode: Generated<'full' | 'delta'>;
    /** When what was submitted is to be compared with what the network holds. */
    check_at: Date | null;
    created_at: Date;
    updated_at: Date;
  };
  /** Products that changed since a run carried them. */
  feed_changes: {
    merchant_id: string;
    feed_id: string;
    product_id: string;
    /** The run that carries the change; null again when the product changes meanwhile. */
    taken_by: number | null;
  };
  feed_runs: {
    merchant_id: string;
    feed_id: string;
    run: number;
    mode: 'full' | 'delta';
    state: 'building' | 'ready' | 'submitted';
    /** Which request for a run this one answers: how a build that got no answer is found again. */
    build_key: string;
    items: Generated<number>;
    removals: Generated<number>;
    /** Items that the network would refuse and that were left out. */
    invalid: Generated<number>;
    parts: Generated<number>;
    created_at: Date;
    ready_at: Date | null;
  };
  feed_parts: {
    merchant_id: string;
    feed_id: string;
    run: number;
    part: number;
    items: number;
    /** JSON Lines, gzip. */
    body: Buffer;
    submitted_at: Date | null;
  };
  feed_items: {
    merchant_id: string;
    feed_id: string;
    item_id: string;
    product_id: string;
    /** The newest run that carries it: what an older one still has to say is not sent any more. */
    run: number;
    content_hash: string;
    /** What the network must show once it has taken the item. */
    expected: ColumnType<Record<string, string>, string>;
    state: FeedItemState;
    issues: ColumnType<FeedIssue[], string>;
    submitted_at: Date | null;
    checked_at: Date | null;
    updated_at: Date;
  };
}
