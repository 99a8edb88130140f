import type { LanewayEvent } from '../../events/envelope.ts';
import { type Outcome, defineHandler, done, skip } from '../../events/handler.ts';
import type { ProductCoreDataUpdated } from './events.ts';
import { readSourcePositions } from './reads.ts';
import { type ProductChange, type VariantChange, mergeProducts, mergeVariants, noteFeedChanges } from './writes.ts';

/**
 * Keeps the catalog as the core platform has it. A change that is older at its source than what the catalog holds is
 * superseded, so that a late redelivery or a redrive never takes a product back; of two changes of one moment the one
 * accepted later wins, which is the one with the greater mseq. Attributes are merged, a delete keeps the row, and a later change revives it.
 *
 * A run is applied with one read and one write however long it is. A statement can touch a row once, so changes of one
 * product are folded into one first.
 */
export const handleProductCoreUpdate = defineHandler<ProductCoreDataUpdated>({
  async handleMany(events, { trx, now }) {
    const newest = await readSourcePositions(trx, events.map(productOf));
    const changes = new Map<string, ProductChange>();
    const variants = new Map<string, VariantChange>();
    const outcomes = events.map((event): Outcome => {
      const product = productOf(event);
      const key = JSON.stringify([product.merchantId, product.productId]);
      const at = Date.parse(event.payload.timestamp);
      const known = newest.get(key);
      if (known !== undefined && (at < known.atMs || (at === known.atMs && event.mseq < known.mseq)))
        return skip(`superseded: the catalog holds a change of ${new Date(known.atMs).toISOString()}`);
      newest.set(key, { atMs: at, mseq: event.mseq });
      const earlier = changes.get(key);
      const { variants: changedVariants = [], ...attributes } = event.payload.changedAttributes ?? {};
      const source = { sourceAt: new Date(at), sourceMseq: event.mseq };
      for (const { variantId, deleted = false, ...own } of changedVariants) {
        const variantKey = JSON.stringify([key, variantId]);
        variants.set(variantKey, {
          ...product,
          ...source,
          variantId,
          attributes: { ...variants.get(variantKey)?.attributes, ...own },
          deleted,
        });
      }
      changes.set(key, {
        ...product,
        ...source,
        attributes: { ...earlier?.attributes, ...attributes },
        deleted: event.payload.operationType === 'delete',
        changes: (earlier?.changes ?? 0) + 1,
      });
      return done;
    });
    await mergeProducts(trx, [...changes.values()], now);
    await mergeVariants(trx, [...variants.values()], now);
    await noteFeedChanges(trx, [...changes.values()]);
    return outcomes;
  },
});

const productOf = (event: LanewayEvent<ProductCoreDataUpdated>) => ({
  merchantId: event.merchantId,
  productId: event.payload.productId,
});
