import { decimalOf } from '../../../money/currency.ts';
import type { FeedItem } from './feed-item.ts';
import { cutText } from './validate-item.ts';

const availabilities: Readonly<Record<string, string>> = {
  in_stock: 'in stock',
  out_of_stock: 'out of stock',
  preorder: 'preorder',
  backorder: 'available for order',
};

/** The data of an item in a request of Meta's catalog batch API. Without dates a sale price holds at once and for good. */
export function metaProduct(item: FeedItem): Record<string, unknown> {
  const price = (minor: number) => `${decimalOf(minor, item.currency ?? '')} ${item.currency}`;
  const { sale } = item;
  return {
    id: item.itemId,
    title: cutText('meta_catalog', 'title', item.title ?? ''),
    description: cutText('meta_catalog', 'description', item.description ?? ''),
    availability: availabilities[item.availability ?? ''],
    condition: item.condition,
    price: price(item.priceMinor ?? 0),
    link: item.link,
    image_link: item.imageLink,
    brand: item.brand,
    ...(item.gtin === undefined ? {} : { gtin: item.gtin }),
    ...(item.mpn === undefined ? {} : { mpn: item.mpn }),
    ...(item.itemGroupId === undefined ? {} : { item_group_id: item.itemGroupId }),
    ...(sale === undefined
      ? {}
      : {
          sale_price: price(sale.priceMinor),
          sale_price_effective_date: `${minuteOf(sale.startsAt)}/${sale.endsAt === undefined ? endOfTime : minuteOf(sale.endsAt)}`,
        }),
  };
}

/** The format has no open end. */
const endOfTime = '2099-12-31T23:59+00:00';

/** `2026-11-23T10:15+00:00` */
const minuteOf = (moment: Date): string => `${moment.toISOString().slice(0, 16)}+00:00`;
