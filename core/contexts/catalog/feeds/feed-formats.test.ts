import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { feedAccount } from './feed-account.ts';
import { type FeedItem, itemsOf } from './feed-item.ts';
import { googleProductInput, googleProductName } from './google-product.ts';
import { metaProduct } from './meta-product.ts';
import { isSendable, validateItem } from './validate-item.ts';

const google = {
  network: 'google_merchant',
  merchantCenterId: '123',
  dataSourceId: '9',
  contentLanguage: 'en',
  feedLabel: 'US',
} as const;

const complete = {
  title: 'Trail shoe',
  description: 'For mud',
  link: 'https://shop.example/p/1',
  imageLink: 'https://shop.example/p/1.jpg',
  brand: 'Nordwind',
  gtin: '4006381333931',
  priceMinor: 8_999,
  currency: 'EUR',
  availability: 'in_stock',
};

const one = (attributes: Record<string, unknown>, sale?: FeedItem['sale']): FeedItem => {
  const [item] = itemsOf({ productId: 'sku-1', attributes, variants: [] }, {}, () => sale);
  if (item === undefined) throw new Error('a product has an item');
  return item;
};

const codes = (network: 'google_merchant' | 'meta_catalog', attributes: Record<string, unknown>) =>
  validateItem(network, one(attributes)).map(({ severity, code }) => `${severity} ${code}`);

test('a complete product has no issue and takes the shape of each network', () => {
  assert.equal(codes('google_merchant', complete), []);
  assert.equal(codes('meta_catalog', complete), []);
  const sale = {
    priceMinor: 4_999,
    startsAt: new Date('2026-11-27T00:00:00.000Z'),
    endsAt: new Date('2026-11-30T23:59:00.000Z'),
  };
  assert.equal(googleProductInput(google, one(complete, sale), 7), {
    offerId: 'sku-1',
    contentLanguage: 'en',
    feedLabel: 'US',
    versionNumber: '7',
    productAttributes: {
      title: 'Trail shoe',
      description: 'For mud',
      link: 'https://shop.example/p/1',
      imageLink: 'https://shop.example/p/1.jpg',
      availability: 'IN_STOCK',
      price: { amountMicros: '89990000', currencyCode: 'EUR' },
      condition: 'NEW',
      brand: 'Nordwind',
      gtins: ['4006381333931'],
      salePrice: { amountMicros: '49990000', currencyCode: 'EUR' },
      salePriceEffectiveDate: { startTime: '2026-11-27T00:00:00.000Z', endTime: '2026-11-30T23:59:00.000Z' },
    },
  });
  assert.equal(metaProduct(one({ ...complete, availability: 'backorder' }, sale)), {
    id: 'sku-1',
    title: 'Trail shoe',
    description: 'For mud',
    availability: 'available for order',
    condition: 'new',
    price: '89.99 EUR',
    link: 'https://shop.example/p/1',
    image_link: 'https://shop.example/p/1.jpg',
    brand: 'Nordwind',
    gtin: '4006381333931',
    sale_price: '49.99 EUR',
    sale_price_effective_date: '2026-11-27T00:00+00:00/2026-11-30T23:59+00:00',
  });
});

test('prices keep the decimals of their currency', () => {
  const yen = one({ ...complete, priceMinor: 1_200, currency: 'JPY' });
  assert.is(metaProduct(yen)['price'], '1200 JPY');
  assert.equal(googleProductInput(google, yen, 1)['productAttributes'], {
    ...(googleProductInput(google, yen, 1)['productAttributes'] as object),
    price: { amountMicros: '1200000000', currencyCode: 'JPY' },
  });
  const dinar = one({ ...complete, priceMinor: 1_250, currency: 'KWD' });
  assert.is(metaProduct(dinar)['price'], '1.250 KWD');
});

test('what a network would refuse is named, each by its own rules', () => {
  const { gtin: _, imageLink: __, priceMinor: ___, ...poor } = complete;
  assert.equal(codes('google_merchant', poor), [
    'error imageLink.missing',
    'error gtin.missing',
    'error price.missing',
  ]);
  assert.equal(codes('meta_catalog', poor), ['error imageLink.missing', 'warning gtin.missing', 'error price.missing']);
  assert.equal(codes('google_merchant', { ...complete, gtin: undefined, mpn: 'N-1' }), ['warning gtin.missing']);
  assert.equal(codes('google_merchant', { ...complete, gtin: undefined, identifierExists: false }), []);
  assert.equal(codes('google_merchant', { ...complete, gtin: '4006381333932' }), ['error gtin.invalid']);
  assert.equal(codes('google_merchant', { ...complete, gtin: '400 638-1333931' }), []);
  assert.equal(codes('meta_catalog', { ...complete, brand: ' ' }), ['error brand.missing']);
  assert.equal(codes('google_merchant', { ...complete, availability: 'preorder' }), ['error availabilityDate.missing']);
  assert.equal(codes('meta_catalog', { ...complete, availability: 'preorder' }), []);
  assert.equal(codes('meta_catalog', { ...complete, link: 'javascript:alert(1)' }), ['error link.invalid']);
  assert.equal(codes('meta_catalog', { ...complete, priceMinor: 0 }), ['error price.invalid']);
  const long = one({ ...complete, title: 'x'.repeat(149) + '😀' });
  assert.equal(
    validateItem('google_merchant', long).map(({ code }) => code),
    ['title.too_long'],
  );
  assert.ok(isSendable(validateItem('google_merchant', long)));
  const cut = googleProductInput(google, long, 1)['productAttributes'] as { title: string };
  assert.is(cut.title, 'x'.repeat(149));
});

test('a product with variants is one item for each, joined by the product; what a variant leaves out the product says', () => {
  const product = {
    productId: 'shoe.1',
    attributes: complete,
    variants: [
      { variantId: 'red', attributes: { gtin: '73513537', priceMinor: 7_999 } },
      { variantId: 'b.lue', attributes: {} },
    ],
  };
  assert.equal(
    itemsOf(product, {}, () => undefined).map((item) => [item.itemId, item.itemGroupId, item.gtin, item.priceMinor]),
    [
      ['shoe..1.-red', 'shoe.1', '73513537', 7_999],
      ['shoe..1.-b..lue', 'shoe.1', '4006381333931', 8_999],
    ],
  );
});

test("a feed's defaults stand in for a missing link and brand", () => {
  const [item] = itemsOf(
    { productId: 'a/b', attributes: {}, variants: [] },
    { linkTemplate: 'https://shop.example/p/{productId}', brand: 'House' },
    () => undefined,
  );
  assert.equal([item?.link, item?.brand], ['https://shop.example/p/a%2Fb', 'House']);
});

test('a product name of Google is encoded where an id would break it', () => {
  assert.is(googleProductName(google, 'sku123'), 'en~US~sku123');
  assert.is(googleProductName(google, 'sku/123'), 'ZW5-VVN-c2t1LzEyMw');
});

test('an account says where a feed goes, and nothing else', () => {
  assert.ok(feedAccount.safeParse(google).success);
  assert.not(feedAccount.safeParse({ ...google, catalogId: '1' }).success);
  assert.not(feedAccount.safeParse({ ...google, feedLabel: 'us' }).success);
  assert.not(feedAccount.safeParse({ network: 'meta_catalog', catalogId: '../1' }).success);
});

test.run();
