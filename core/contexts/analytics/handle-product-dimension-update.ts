import { type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import type { LanewayEvent } from '../../events/envelope.ts';
import { defineHandler, done } from '../../events/handler.ts';
import type { ProductCoreDataUpdated } from '../catalog/events.ts';
import { type ProductVersion, writeProductVersions } from './write-product-versions.ts';

/** What a run of events makes of one product. */
interface Dimension {
  merchantId: string;
  productId: string;
  title: string | null;
  brand: string | null;
  active: boolean;
  at: Date;
  mseq: number;
  changes: number;
}

/**
 * Keeps the product dimension of reports. A change that is older at its source than what is held counts in `changes` and
 * alters nothing else: the count is of events, so that one applied twice shows. Each state that differs from the one before
 * in what reports show is a version, so that a report says what a product was called when it was sold.
 */
export const handleProductDimensionUpdate = defineHandler<ProductCoreDataUpdated>({
  async handleMany(events, { trx, now }) {
    const held = await readHeld(trx, events);
    const dimensions = new Map<string, Dimension>();
    const versions: ProductVersion[] = [];
    for (const event of events) {
      const key = keyOf(event.merchantId, event.payload.productId);
      const earlier = dimensions.get(key) ?? held.get(key);
      const dimension = fold(earlier, event);
      dimensions.set(key, dimension);
      if (differs(dimension, earlier)) versions.push(dimension);
    }
    await mergeDimensions(trx, [...dimensions.values()], now);
    await writeProductVersions(trx, versions);
    return events.map(() => done);
  },
});

type Change = LanewayEvent<ProductCoreDataUpdated>;

const differs = (a: Dimension, b: Dimension | undefined): boolean =>
  b === undefined || a.title !== b.title || a.brand !== b.brand || a.active !== b.active;

const keyOf = (merchantId: string, productId: string): string => JSON.stringify([merchantId, productId]);

/** Where folding starts. */
async function readHeld(trx: Transaction<Database>, events: readonly Change[]): Promise<Map<string, Dimension>> {
  const { rows } = await sql<Omit<Dimension, 'changes'>>`
    select merchant_id as "merchantId", product_id as "productId", title, brand, active, source_at as at, source_mseq as mseq
    from product_dimensions
    where (merchant_id, product_id) in (
      select * from unnest(${events.map((e) => e.merchantId)}::text[], ${events.map((e) => e.payload.productId)}::text[])
    )
  `.execute(trx);
  return new Map(rows.map((row) => [keyOf(row.merchantId, row.productId), { ...row, changes: 0 }]));
}

function fold(earlier: Dimension | undefined, { merchantId, mseq, payload }: Change): Dimension {
  const at = new Date(payload.timestamp);
  const changes = (earlier?.changes ?? 0) + 1;
  if (earlier !== undefined && isOlder({ at, mseq }, earlier)) return { ...earlier, changes };
  return {
    merchantId,
    productId: payload.productId,
    title: payload.changedAttributes?.title ?? earlier?.title ?? null,
    brand: payload.changedAttributes?.brand ?? earlier?.brand ?? null,
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
      ${column((d) => d.title)}::text[], ${column((d) => d.brand)}::text[],
      ${column((d) => d.active)}::boolean[], ${column((d) => d.at)}::timestamptz[], ${column((d) => d.mseq)}::bigint[],
      ${column((d) => d.changes)}::bigint[])
      as t (merchant_id, product_id, title, brand, active, source_at, source_mseq, changes)
    order by merchant_id collate "C", product_id collate "C"
    on conflict (merchant_id, product_id) do update set
      title = excluded.title,
      brand = excluded.brand,
      active = excluded.active,
      source_at = excluded.source_at,
      source_mseq = excluded.source_mseq,
      changes = held.changes + excluded.changes,
      updated_at = excluded.updated_at
  `.execute(trx);
}
