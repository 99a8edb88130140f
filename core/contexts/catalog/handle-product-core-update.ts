import type { LanewayEvent } from '../../events/envelope.ts';
import { type Outcome, defineHandler, done, skip } from '../../events/handler.ts';
import type { ProductCoreDataUpdated } from './events.ts';
import { type SourcePosition, productKey, readSourcePositions } from './reads.ts';
import { type ProductChange, type VariantChange, mergeProducts, mergeVariants } from './writes.ts';

/**
 * Keeps the catalog as the core platform has it. A change that is older at its source than what the catalog holds is
 * superseded, so that a late redelivery or a redrive never takes a product back; of two changes of one moment the one
 * accepted later wins, which is the one with the greater mseq. Attributes are merged, a delete keeps the row, and a later change revives it.
 *
 * A run is applied with one write however long it is, and the write itself refuses what is superseded. A statement can touch
 * a row once, so changes of one product are folded into one first; only for those does the run read where to start.
 */
export const handleProductCoreUpdate = defineHandler<ProductCoreDataUpdated>({
  async handleMany(events, { trx, now }) {
    const keys = events.map(keyOf);
    const newest = await readSourcePositions(trx, repeated(events, keys).map(productOf));
    const changes = new Map<string, ProductChange>();
    const superseded = new Map<number, SourcePosition>();
    for (const [index, event] of events.entries()) {
      const key = keys[index] ?? '';
      const position = { atMs: Date.parse(event.payload.timestamp), mseq: event.mseq };
      const known = newest.get(key);
      if (known !== undefined && isOlder(position, known)) {
        superseded.set(index, known);
        continue;
      }
      newest.set(key, position);
      const earlier = changes.get(key);
      const { variants: _, ...attributes } = event.payload.changedAttributes ?? {};
      changes.set(key, {
        ...productOf(event),
        sourceAt: new Date(position.atMs),
        sourceMseq: event.mseq,
        attributes: earlier === undefined ? attributes : { ...earlier.attributes, ...attributes },
        deleted: event.payload.operationType === 'delete',
        changes: (earlier?.changes ?? 0) + 1,
      });
    }
    const refused = await mergeProducts(trx, [...changes.values()], now);
    for (const [index, key] of keys.entries()) {
      const holds = refused.get(key);
      if (holds !== undefined && !superseded.has(index)) superseded.set(index, holds);
    }
    await mergeVariants(trx, variantsOf(events.filter((_, index) => !superseded.has(index))), now);
    return events.map((_, index): Outcome => {
      const holds = superseded.get(index);
      if (holds === undefined) return done;
      return skip(`superseded: the catalog holds a change of ${new Date(holds.atMs).toISOString()}`);
    });
  },
});

type Change = LanewayEvent<ProductCoreDataUpdated>;

const productOf = (event: Change) => ({
  merchantId: event.merchantId,
  productId: event.payload.productId,
});

const keyOf = (event: Change): string => productKey(productOf(event));

const isOlder = (a: SourcePosition, b: SourcePosition): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.mseq < b.mseq);

/** Events of products that occur more than once. */
function repeated(events: readonly Change[], keys: readonly string[]): readonly Change[] {
  if (new Set(keys).size === keys.length) return [];
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return events.filter((_, index) => (counts.get(keys[index] ?? '') ?? 0) > 1);
}

/** The variants that changed, each once. */
function variantsOf(events: readonly Change[]): readonly VariantChange[] {
  const variants = new Map<string, VariantChange>();
  for (const event of events) {
    const changed = event.payload.changedAttributes?.variants ?? [];
    for (const { variantId, deleted = false, ...own } of changed) {
      const key = JSON.stringify([event.merchantId, event.payload.productId, variantId]);
      variants.set(key, {
        ...productOf(event),
        sourceAt: new Date(event.payload.timestamp),
        sourceMseq: event.mseq,
        variantId,
        attributes: { ...variants.get(key)?.attributes, ...own },
        deleted,
      });
    }
  }
  return [...variants.values()];
}
