import type { Random } from './random.ts';

/** Changes of one merchant's products: created first, changed mostly, deleted and created again now and then. */
export interface ProductEvents {
  next(timestamp: string): Record<string, unknown>;
}

const titles = ['Trail shoe', 'Rain jacket', 'Espresso cup', 'Reading lamp', 'Garden hose', 'Wool blanket'] as const;
const brands = ['Nordwind', 'Halden', 'Kiso', 'Abendrot'] as const;
const availabilities = ['in_stock', 'out_of_stock', 'preorder', 'backorder'] as const;

export function productEvents(random: Random): ProductEvents {
  const exists = new Map<string, boolean>();
  const products = 2 + random.below(7);
  return {
    next(timestamp) {
      const productId = `sku-${1 + random.below(products)}`;
      const known = exists.get(productId) ?? false;
      const kind = known ? (random.chance(0.08) ? 'delete' : 'update') : 'create';
      exists.set(productId, kind !== 'delete');
      return {
        productId,
        // The platform writes either case.
        operationType: random.chance(0.2) ? kind.toUpperCase() : kind,
        timestamp,
        ...(kind === 'delete' ? {} : { changedAttributes: kind === 'create' ? everything(random) : something(random) }),
      };
    },
  };
}

const everything = (random: Random): Record<string, unknown> => ({
  title: random.pick(titles),
  description: `Batch ${random.below(10_000)}`,
  brand: random.pick(brands),
  priceMinor: random.below(50_000),
  currency: random.pick(['EUR', 'USD']),
  availability: random.pick(availabilities),
});

function something(random: Random): Record<string, unknown> {
  const change: Record<string, unknown> = { priceMinor: random.below(50_000) };
  if (random.chance(0.5)) change['title'] = `${random.pick(titles)} ${random.below(100)}`;
  if (random.chance(0.4)) change['availability'] = random.pick(availabilities);
  if (random.chance(0.2)) change['brand'] = random.pick(brands);
  if (random.chance(0.1)) change['colour'] = random.pick(['green', 'blue', 'grey']);
  return change;
}
