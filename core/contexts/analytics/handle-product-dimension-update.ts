import { sql } from 'kysely';
import { defineHandler, done } from '../../events/handler.ts';
import type { ProductCoreDataUpdated } from '../catalog/events.ts';

/**
 * Keeps the product dimension of reports. A change that is older at its source than what is held counts in `changes` and
 * alters nothing else: the count is of events, so that one applied twice shows.
 */
export const handleProductDimensionUpdate = defineHandler<ProductCoreDataUpdated>({
  async handleMany(events, { trx, now }) {
    const folded = new Map<
      string,
      {
        merchantId: string;
        productId: string;
        title: unknown;
        brand: unknown;
        active: boolean;
        at: Date;
        changes: number;
      }
    >();
    for (const { merchantId, payload } of events) {
      const key = JSON.stringify([merchantId, payload.productId]);
      const earlier = folded.get(key);
      const at = new Date(payload.timestamp);
      const newer = earlier === undefined || at >= earlier.at;
      const { title, brand } = payload.changedAttributes ?? {};
      folded.set(key, {
        merchantId,
        productId: payload.productId,
        title: newer ? (title ?? earlier?.title) : earlier.title,
        brand: newer ? (brand ?? earlier?.brand) : earlier.brand,
        active: newer ? payload.operationType !== 'delete' : earlier.active,
        at: newer ? at : earlier.at,
        changes: (earlier?.changes ?? 0) + 1,
      });
    }
    const rows = [...folded.values()];
    await sql`
      insert into product_dimensions as d (merchant_id, product_id, title, brand, active, source_at, changes, updated_at)
      select merchant_id, product_id, title, brand, active, source_at, changes, ${new Date(now)}::timestamptz
      from unnest(${rows.map((r) => r.merchantId)}::text[], ${rows.map((r) => r.productId)}::text[],
        ${rows.map((r) => r.title ?? null)}::text[], ${rows.map((r) => r.brand ?? null)}::text[],
        ${rows.map((r) => r.active)}::boolean[], ${rows.map((r) => r.at)}::timestamptz[],
        ${rows.map((r) => r.changes)}::bigint[])
        as t (merchant_id, product_id, title, brand, active, source_at, changes)
      order by merchant_id collate "C", product_id collate "C"
      on conflict (merchant_id, product_id) do update set
        title = case when excluded.source_at >= d.source_at then coalesce(excluded.title, d.title) else d.title end,
        brand = case when excluded.source_at >= d.source_at then coalesce(excluded.brand, d.brand) else d.brand end,
        active = case when excluded.source_at >= d.source_at then excluded.active else d.active end,
        source_at = greatest(excluded.source_at, d.source_at),
        changes = d.changes + excluded.changes,
        updated_at = excluded.updated_at
    `.execute(trx);
    return events.map(() => done);
  },
});
