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
