/** What a network's catalog is told about one product or variant, before it takes a network's shape. */
export interface FeedItem {
  itemId: string;
  productId: string;
  /** Joins the variants of a product. */
  itemGroupId: string | undefined;
  title: string | undefined;
  description: string | undefined;
  link: string | undefined;
  imageLink: string | undefined;
  brand: string | undefined;
  gtin: string | undefined;
  mpn: string | undefined;
  condition: string;
  availability: string | undefined;
  /** ISO 8601: from when a preorder or backorder is delivered. */
  availabilityDate: string | undefined;
  /** Minor units of `currency`. */
  priceMinor: number | undefined;
  currency: string | undefined;
  /** False when the maker gave it neither GTIN nor MPN. */
  identifierExists: boolean;
  sale: Sale | undefined;
}

/** A price that holds for a time. */
export interface Sale {
  /** In the item's currency. */
  priceMinor: number;
  startsAt: Date;
  endsAt: Date | undefined;
}

/** error: the item is left out, the network would refuse it. warning: it is sent, and may be shown less. */
export interface FeedIssue {
  severity: 'error' | 'warning';
  /** Stable: `gtin.missing`. What a network said itself begins with its name. */
  code: string;
  attribute: string;
  message: string;
}

export interface FeedProduct {
  productId: string;
  attributes: Record<string, unknown>;
  /** Those that are offered. */
  variants: readonly { variantId: string; attributes: Record<string, unknown> }[];
}

export interface FeedDefaults {
  linkTemplate?: string | undefined;
  brand?: string | undefined;
}

/** The sale of an item at its regular price; undefined when there is none. */
export type FindSale = (item: Omit<FeedItem, 'sale'>, attributes: Record<string, unknown>) => Sale | undefined;

/** A product's items: itself, or each of its variants. */
export function itemsOf(product: FeedProduct, defaults: FeedDefaults, findSale: FindSale): FeedItem[] {
  if (product.variants.length === 0)
    return [itemOf(product, product.productId, product.attributes, defaults, findSale)];
  return product.variants.map(({ variantId, attributes }) =>
    itemOf(
      product,
      variantItemId(product.productId, variantId),
      { ...product.attributes, ...attributes },
      defaults,
      findSale,
    ),
  );
}

/** Product ids may hold the separator too; variants of different products must not meet. */
const variantItemId = (productId: string, variantId: string): string =>
  `${productId.replaceAll('.', '..')}.-${variantId.replaceAll('.', '..')}`;

function itemOf(
  { productId, variants }: FeedProduct,
  itemId: string,
  attributes: Record<string, unknown>,
  { linkTemplate, brand }: FeedDefaults,
  findSale: FindSale,
): FeedItem {
  const text = (name: string): string | undefined => {
    const value = attributes[name];
    return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
  };
  const price = attributes['priceMinor'];
  const item = {
    itemId,
    productId,
    itemGroupId: variants.length > 0 ? productId : text('itemGroupId'),
    title: text('title'),
    description: text('description'),
    link: text('link') ?? linkTemplate?.replaceAll('{productId}', encodeURIComponent(productId)),
    imageLink: text('imageLink'),
    brand: text('brand') ?? brand,
    gtin: text('gtin')?.replaceAll(/[\s-]/g, ''),
    mpn: text('mpn'),
    condition: text('condition') ?? 'new',
    availability: text('availability'),
    availabilityDate: text('availabilityDate'),
    priceMinor: typeof price === 'number' && Number.isSafeInteger(price) ? price : undefined,
    currency: text('currency'),
    identifierExists: attributes['identifierExists'] !== false,
  };
  return { ...item, sale: findSale(item, attributes) };
}
