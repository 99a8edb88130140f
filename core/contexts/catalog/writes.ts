import { type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import { type SourcePosition, productKey, readSourcePositions } from './reads.ts';

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
 * Merges changes, each product at most once, and notes for every active feed of their merchants that they changed. Answers
 * with those that did nothing, since the row holds a newer change: what it holds, by `productKey`.
 *
 * Rows are locked by merchant and product in byte order, the order that every writer of products keeps, and after them those
 * of the feeds. Few merchants have feeds, so that these are looked for by merchant, not by product. A change that did
 * nothing is noted as well: to send a product again is harmless, and to look which did nothing costs a statement.
 */
export async function mergeProducts(
  trx: Transaction<Database>,
  changes: readonly ProductChange[],
  nowMs: number,
): Promise<ReadonlyMap<string, SourcePosition>> {
  if (changes.length === 0) return new Map();
  const column = <T>(pick: (change: ProductChange) => T): T[] => changes.map(pick);
  const merchantIds = column((c) => c.merchantId);
  const productIds = column((c) => c.productId);
  const { numAffectedRows } = await sql`
    with noted as (
      insert into feed_changes as held (merchant_id, feed_id, product_id)
      select feed.merchant_id, feed.feed_id, change.product_id
      from catalog_feeds feed
      join unnest(${merchantIds}::text[], ${productIds}::text[]) as change (merchant_id, product_id)
        on change.merchant_id = feed.merchant_id
      where feed.merchant_id = any(${[...new Set(merchantIds)]}::text[]) and feed.state = 'active'
      order by feed.merchant_id, feed.feed_id, change.product_id collate "C"
      on conflict (merchant_id, feed_id, product_id) do update set taken_by = null where held.taken_by is not null
    )
    insert into products as product (merchant_id, product_id, title, price_minor, currency, availability, attributes,
      source_at, source_mseq, revision, deleted_at, updated_at)
    select merchant_id, product_id, attributes ->> 'title', (attributes ->> 'priceMinor')::bigint,
      attributes ->> 'currency', attributes ->> 'availability', attributes, source_at, source_mseq, changes,
      case when deleted then source_at end, ${new Date(nowMs)}::timestamptz
    from unnest(${merchantIds}::text[], ${productIds}::text[],
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
  if (Number(numAffectedRows) === changes.length) return new Map();
  const held = await readSourcePositions(trx, changes);
  return new Map(
    changes.flatMap((change): [string, SourcePosition][] => {
      const key = productKey(change);
      const holds = held.get(key);
      const written = holds?.atMs === change.sourceAt.getTime() && holds.mseq === (change.sourceMseq ?? 0);
      return holds === undefined || written ? [] : [[key, holds]];
    }),
  );
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
