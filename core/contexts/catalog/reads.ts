import { type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';

/** Which change a product shows. */
export interface SourcePosition {
  /** When it happened at its source, epoch milliseconds. */
  atMs: number;
  mseq: number;
}

/** What a product is found by in a map over several merchants. */
export const productKey = ({ merchantId, productId }: { merchantId: string; productId: string }): string =>
  JSON.stringify([merchantId, productId]);

/** The newest change of each product, by `productKey`. Products that the catalog does not have are left out. */
export async function readSourcePositions(
  trx: Transaction<Database>,
  products: readonly { merchantId: string; productId: string }[],
): Promise<Map<string, SourcePosition>> {
  if (products.length === 0) return new Map();
  const { rows } = await sql<{ merchantId: string; productId: string; sourceAt: Date; mseq: number }>`
    select merchant_id as "merchantId", product_id as "productId", source_at as "sourceAt", source_mseq as mseq
    from products
    where (merchant_id, product_id) in (
      select * from unnest(${products.map((p) => p.merchantId)}::text[], ${products.map((p) => p.productId)}::text[])
    )
  `.execute(trx);
  return new Map(rows.map((row) => [productKey(row), { atMs: row.sourceAt.getTime(), mseq: row.mseq }]));
}

export interface Product {
  productId: string;
  title: string | null;
  /** Minor units of `currency`. */
  priceMinor: number | null;
  currency: string | null;
  availability: string | null;
  attributes: Record<string, unknown>;
  sourceAt: Date;
  revision: number;
  deletedAt: Date | null;
}

const productColumns = [
  'product_id as productId',
  'title',
  'price_minor as priceMinor',
  'currency',
  'availability',
  'attributes',
  'source_at as sourceAt',
  'revision',
  'deleted_at as deletedAt',
] as const;

/** A page of a merchant's products by id; `next` is the `after` of the following page, undefined on the last. */
export async function listProducts(
  trx: Transaction<Database>,
  merchantId: string,
  { after = '', limit, includeDeleted = false }: { after?: string; limit: number; includeDeleted?: boolean },
): Promise<{ items: Product[]; next: string | undefined }> {
  const rows = await trx
    .selectFrom('products')
    .select(productColumns)
    .where('merchant_id', '=', merchantId)
    .where('product_id', '>', after)
    .$if(!includeDeleted, (query) => query.where('deleted_at', 'is', null))
    .orderBy('product_id')
    .limit(limit + 1)
    .execute();
  const items = rows.slice(0, limit);
  return { items, next: rows.length > limit ? items.at(-1)?.productId : undefined };
}

export async function getProduct(
  trx: Transaction<Database>,
  merchantId: string,
  productId: string,
): Promise<Product | undefined> {
  return await trx
    .selectFrom('products')
    .select(productColumns)
    .where('merchant_id', '=', merchantId)
    .where('product_id', '=', productId)
    .executeTakeFirst();
}

/** Those of the products that the catalog does not have, or has no more. */
export async function findMissingProducts(
  trx: Transaction<Database>,
  merchantId: string,
  productIds: readonly string[],
): Promise<string[]> {
  if (productIds.length === 0) return [];
  const known = await trx
    .selectFrom('products')
    .select('product_id')
    .where('merchant_id', '=', merchantId)
    .where('product_id', 'in', productIds)
    .where('deleted_at', 'is', null)
    .execute();
  const found = new Set(known.map(({ product_id }) => product_id));
  return productIds.filter((productId) => !found.has(productId));
}

export interface Variant {
  productId: string;
  variantId: string;
  attributes: Record<string, unknown>;
}

/** The variants of products that are offered, by product and id. */
export async function readVariants(
  trx: Transaction<Database>,
  merchantId: string,
  productIds: readonly string[],
): Promise<Variant[]> {
  if (productIds.length === 0) return [];
  return await trx
    .selectFrom('product_variants')
    .select(['product_id as productId', 'variant_id as variantId', 'attributes'])
    .where('merchant_id', '=', merchantId)
    .where('product_id', 'in', productIds)
    .where('deleted_at', 'is', null)
    .orderBy('product_id')
    .orderBy('variant_id')
    .execute();
}
