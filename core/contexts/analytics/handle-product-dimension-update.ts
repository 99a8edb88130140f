import { type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import type { LanewayEvent } from '../../events/envelope.ts';
import { defineHandler, done } from '../../events/handler.ts';
import type { ProductCoreDataUpdated } from '../catalog/events.ts';

/** What a run of events makes of one product. A title or brand that is undefined stays as it is held. */
interface Dimension {
  merchantId: string;
  productId: string;
  title: string | undefined;
  brand: string | undefined;
  active: boolean;
  at: Date;
  mseq: number;
  changes: number;
}

/**
 * Keeps the product dimension of reports. A change that is older at its source than what is held counts in `changes` and
 * alters nothing else: the count is of events, so that one applied twice shows.
 */
export const handleProductDimensionUpdate = defineHandler<ProductCoreDataUpdated>({
  async handleMany(events, { trx, now }) {
    const held = await readHeld(trx, events);
    const dimensions = new Map<string, Dimension>();
    for (const event of events) {
      const key = keyOf(event.merchantId, event.payload.productId);
      dimensions.set(key, fold(dimensions.get(key) ?? held.get(key), event));
    }
    await mergeDimensions(trx, [...dimensions.values()], now);
    return events.map(() => done);
  },
});

type Change = LanewayEvent<ProductCoreDataUpdated>;

const keyOf = (merchantId: string, productId: string): string => JSON.stringify([merchantId, productId]);

/**
 * Where folding starts. Without it, what a superseded event brought would be carried into the row by a newer event of the
 * same run that says nothing about it.
 */
async function readHeld(trx: Transaction<Database>, events: readonly Change[]): Promise<Map<string, Dimension>> {
  const { rows } = await sql<Pick<Dimension, 'merchantId' | 'productId' | 'active' | 'at' | 'mseq'>>`
    select merchant_id as "merchantId", product_id as "productId", active, source_at as at, source_mseq as mseq
    from product_dimensions
    where (merchant_id, product_id) in (
      select * from unnest(${events.map((e) => e.merchantId)}::text[], ${events.map((e) => e.payload.productId)}::text[])
    )
  `.execute(trx);
  return new Map(
    rows.map((row) => [
      keyOf(row.merchantId, row.productId),
      { ...row, title: undefined, brand: undefined, changes: 0 },
    ]),
  );
}

function fold(earlier: Dimension | undefined, { merchantId, mseq, payload }: Change): Dimension {
  const at = new Date(payload.timestamp);
  const changes = (earlier?.changes ?? 0) + 1;
  if (earlier !== undefined && isOlder({ at, mseq }, earlier)) return { ...earlier, changes };
  return {
    merchantId,
    productId: payload.productId,
    title: payload.changedAttributes?.title ?? earlier?.title,
    brand: payload.changedAttributes?.brand ?? earlier?.brand,
    active: payload.operationType !== 'delete',
    at,
    mseq,
    changes,
  };
}

type Position = Pick<Dimension, 'at' | 'mseq'>;

/** Of two changes of one moment the one accepted later is the newer one. */
const isOlder = (a: Position, b: Position): boolean => a.at < b.at || (+a.at === +b.at && a.mseq < b.mseq);

async function mergeDimensions(
  trx: Transaction<Database>,
  dimensions: readonly Dimension[],
  nowMs: number,
): Promise<void> {
  const column = <T>(pick: (dimension: Dimension) => T): T[] => dimensions.map(pick);
  await sql`
    insert into product_dimensions as held (merchant_id, product_id, title, brand, active, source_at, source_mseq,
      changes, updated_at)
    select merchant_id, product_id, title, brand, active, source_at, source_mseq, changes,
      ${new Date(nowMs)}::timestamptz
    from unnest(${column((d) => d.merchantId)}::text[], ${column((d) => d.productId)}::text[],
      ${column((d) => d.title ?? null)}::text[], ${column((d) => d.brand ?? null)}::text[],
      ${column((d) => d.active)}::boolean[], ${column((d) => d.at)}::timestamptz[], ${column((d) => d.mseq)}::bigint[],
      ${column((d) => d.changes)}::bigint[])
      as t (merchant_id, product_id, title, brand, active, source_at, source_mseq, changes)
    order by merchant_id collate "C", product_id collate "C"
    on conflict (merchant_id, product_id) do update set
      title = coalesce(excluded.title, held.title),
      brand = coalesce(excluded.brand, held.brand),
      active = excluded.active,
      source_at = excluded.source_at,
      source_mseq = excluded.source_mseq,
      changes = held.changes + excluded.changes,
      updated_at = excluded.updated_at
  `.execute(trx);
}
