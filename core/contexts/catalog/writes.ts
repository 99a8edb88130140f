import { type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';

export interface ProductChange {
  merchantId: string;
  productId: string;
  sourceAt: Date;
  /** Decides between changes of one moment; one that did not come as an event has none and loses to those that did. */
  sourceMseq?: number;
  /** Attributes to merge over those the catalog holds. */
  attributes: Record<string, unknown>;
  deleted: boolean;
  /** How many changes are folded into this one. */
  changes: number;
}

/**
 * Merges changes, each product at most once, in one statement. A change that is older than what the row holds does nothing.
 * Rows are locked by merchant and product in byte order, the order that every writer of products keeps.
 */
export async function mergeProducts(
  trx: Transaction<Database>,
  changes: readonly ProductChange[],
  nowMs: number,
): Promise<void> {
  if (changes.length === 0) return;
  const column = <T>(pick: (change: ProductChange) => T): T[] => changes.map(pick);
  await sql`
    insert into products as product (merchant_id, product_id, title, price_minor, currency, availability, attributes,
      source_at, source_mseq, revision, deleted_at, updated_at)
    select merchant_id, product_id, attributes ->> 'title', (attributes ->> 'priceMinor')::bigint,
      attributes ->> 'currency', attributes ->> 'availability', attributes, source_at, source_mseq, changes,
      case when deleted then source_at end, ${new Date(nowMs)}::timestamptz
    from unnest(${column((c) => c.merchantId)}::text[], ${column((c) => c.productId)}::text[],
      ${column((c) => JSON.stringify(c.attributes))}::jsonb[], ${column((c) => c.sourceAt)}::timestamptz[],
      ${column((c) => c.sourceMseq ?? 0)}::bigint[], ${column((c) => c.deleted)}::boolean[], ${column((c) => c.changes)}::bigint[])
      as change (merchant_id, product_id, attributes, source_at, source_mseq, deleted, changes)
    order by merchant_id collate "C", product_id collate "C"
    on conflict (merchant_id, product_id) do update set
      title = coalesce(excluded.title, product.title),
      price_minor = coalesce(excluded.price_minor, product.price_minor),
      currency = coalesce(excluded.currency, product.currency),
      availability = coalesce(excluded.availability, product.availability),
      attributes = product.attributes || excluded.attributes,
      source_at = excluded.source_at,
      source_mseq = excluded.source_mseq,
      revision = product.revision + excluded.revision,
      deleted_at = excluded.deleted_at,
      updated_at = excluded.updated_at
    where (product.source_at, product.source_mseq) <= (excluded.source_at, excluded.source_mseq)
  `.execute(trx);
}

export interface VariantChange {
  merchantId: string;
  productId: string;
  variantId: string;
  sourceAt: Date;
  sourceMseq: number;
  /** Merged over those the catalog holds. */
  attributes: Record<string, unknown>;
  deleted: boolean;
}

/** Merges changes of variants, each variant at most once, as `mergeProducts` does. */
export async function mergeVariants(
  trx: Transaction<Database>,
  changes: readonly VariantChange[],
  nowMs: number,
): Promise<void> {
  if (changes.length === 0) return;
  const column = <T>(pick: (change: VariantChange) => T): T[] => changes.map(pick);
  await sql`
    insert into product_variants as variant (merchant_id, product_id, variant_id, attributes, source_at, source_mseq,
      deleted_at, updated_at)
    select merchant_id, product_id, variant_id, attributes, source_at, source_mseq,
      case when deleted then source_at end, ${new Date(nowMs)}::timestamptz
    from unnest(${column((c) => c.merchantId)}::text[], ${column((c) => c.productId)}::text[],
      ${column((c) => c.variantId)}::text[], ${column((c) => JSON.stringify(c.attributes))}::jsonb[],
      ${column((c) => c.sourceAt)}::timestamptz[], ${column((c) => c.sourceMseq)}::bigint[],
      ${column((c) => c.deleted)}::boolean[])
      as change (merchant_id, product_id, variant_id, attributes, source_at, source_mseq, deleted)
    order by merchant_id collate "C", product_id collate "C", variant_id collate "C"
    on conflict (merchant_id, product_id, variant_id) do update set
      attributes = variant.attributes || excluded.attributes,
      source_at = excluded.source_at,
      source_mseq = excluded.source_mseq,
      deleted_at = excluded.deleted_at,
      updated_at = excluded.updated_at
    where (variant.source_at, variant.source_mseq) <= (excluded.source_at, excluded.source_mseq)
  `.execute(trx);
}

/**
 * Notes for every feed of their merchants that products changed. Rows are locked by feed and product in byte order, after
 * those of the products.
 */
export async function noteFeedChanges(
  trx: Transaction<Database>,
  products: readonly { merchantId: string; productId: string }[],
): Promise<void> {
  if (products.length === 0) return;
  await sql`
    insert into feed_changes as held (merchant_id, feed_id, product_id)
    select feed.merchant_id, feed.feed_id, change.product_id
    from unnest(${products.map((p) => p.merchantId)}::text[], ${products.map((p) => p.productId)}::text[])
      as change (merchant_id, product_id)
    join catalog_feeds feed on feed.merchant_id = change.merchant_id and feed.state = 'active'
    order by feed.merchant_id collate "C", feed.feed_id collate "C", change.product_id collate "C"
    on conflict (merchant_id, feed_id, product_id) do update set taken_by = null where held.taken_by is not null
  `.execute(trx);
}
