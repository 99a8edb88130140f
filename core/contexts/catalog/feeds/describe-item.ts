import type { FeedAccount } from './feed-account.ts';
import type { FeedItem } from './feed-item.ts';
import { googleProductInput } from './google-product.ts';
import { metaProduct } from './meta-product.ts';

export interface DescribedItem {
  /** What the network takes. */
  body: Record<string, unknown>;
  /** What it must show afterwards, by the names it shows it under: what buyers would be misled by. */
  expected: Record<string, string>;
}

export function describeItem(account: FeedAccount, item: FeedItem, run: number): DescribedItem {
  const { network } = account;
  switch (network) {
    case 'google_merchant': {
      const body = googleProductInput(account, item, run);
      return { body, expected: googleExpectation(body['productAttributes']) };
    }
    case 'meta_catalog': {
      const body = metaProduct(item);
      return { body, expected: metaExpectation(body) };
    }
    default:
      return network satisfies never;
  }
}

/** Also of what the network reads back. */
export function googleExpectation(attributes: unknown): Record<string, string> {
  const { price, salePrice, availability } = fields(attributes);
  return {
    price: moneyText(price),
    salePrice: moneyText(salePrice),
    availability: text(availability),
  };
}

/** Also of what the network reads back. */
export function metaExpectation(item: unknown): Record<string, string> {
  const { price, sale_price: salePrice, availability } = fields(item);
  return { price: text(price), salePrice: text(salePrice), availability: text(availability) };
}

const fields = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? { ...value } : {};

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

const moneyText = (value: unknown): string => {
  const { amountMicros, currencyCode } = fields(value);
  return amountMicros === undefined ? '' : `${text(amountMicros)} ${text(currencyCode)}`;
};
