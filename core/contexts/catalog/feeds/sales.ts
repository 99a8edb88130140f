import type { Kysely } from 'kysely';
import type { Database } from '../../../database/tables.ts';
import type { FindSale } from './feed-item.ts';

/** A merchant's sales as a run of a feed carries them. */
export interface Sales {
  /** Grows whenever a sale of the merchant begins, ends or changes. */
  version: number;
  findSale: FindSale;
}

export type ReadSales = (db: Kysely<Database>, merchantId: string, nowMs: number) => Promise<Sales>;

export const noSales: ReadSales = () => Promise.resolve({ version: 0, findSale: () => undefined });
