import type { ColumnType, Generated } from 'kysely';

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
}
