import { type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';

/** A product as it was from a moment at its source on. */
export interface ProductVersion {
  merchantId: string;
  productId: string;
  title: string | null;
  brand: string | null;
  active: boolean;
  at: Date;
}

/**
 * Ends the version that holds of each product and begins the new ones (type 2). Versions of a product come in the order of
 * their times, as its lane brings them; of two of one moment the later one stays. A version that is there already is written
 * as it was.
 */
export async function writeProductVersions(
  trx: Transaction<Database>,
  versions: readonly ProductVersion[],
): Promise<void> {
  if (versions.length === 0) return;
  const column = <T>(pick: (version: ProductVersion) => T): T[] => versions.map(pick);
  await sql`
    with given as (
      select distinct on (merchant_id, product_id, valid_from) *
      from unnest(${column((v) => v.merchantId)}::text[], ${column((v) => v.productId)}::text[],
        ${column((v) => v.at)}::timestamptz[], ${column((v) => v.title)}::text[], ${column((v) => v.brand)}::text[],
        ${column((v) => v.active)}::boolean[])
        with ordinality as t (merchant_id, product_id, valid_from, title, brand, active, place)
      order by merchant_id, product_id, valid_from, place desc
    ), ended as (
      update product_versions v set valid_to = f.valid_from
      from (select merchant_id, product_id, min(valid_from) as valid_from from given group by 1, 2) f
      where v.merchant_id = f.merchant_id and v.product_id = f.product_id and v.valid_to is null
        and v.valid_from < f.valid_from
    )
    insert into product_versions as held (merchant_id, product_id, valid_from, valid_to, title, brand, active)
    select merchant_id, product_id, valid_from,
      lead(valid_from) over (partition by merchant_id, product_id order by valid_from), title, brand, active
    from given order by merchant_id collate "C", product_id collate "C", valid_from
    on conflict (merchant_id, product_id, valid_from) do update set
      valid_to = excluded.valid_to, title = excluded.title, brand = excluded.brand, active = excluded.active
  `.execute(trx);
}
