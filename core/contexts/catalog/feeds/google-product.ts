import { microsPerMinor } from '../../../money/currency.ts';
import type { GoogleMerchantAccount } from './feed-account.ts';
import type { FeedItem } from './feed-item.ts';
import { cutText } from './validate-item.ts';

/**
 * A product input of Google's Merchant API, v1. int64 travels as text there. `versionNumber` is the run: the API refuses a
 * smaller one than it holds, so that a call that comes late changes nothing. The name `gtins` is remembered, not seen.
 */
export function googleProductInput(
  account: GoogleMerchantAccount,
  item: FeedItem,
  run: number,
): Record<string, unknown> {
  const price = (minor: number) => ({
    amountMicros: String(BigInt(minor) * BigInt(microsPerMinor(item.currency ?? ''))),
    currencyCode: item.currency,
  });
  const { sale } = item;
  return {
    offerId: item.itemId,
    contentLanguage: account.contentLanguage,
    feedLabel: account.feedLabel,
    versionNumber: String(run),
    productAttributes: {
      title: cutText('google_merchant', 'title', item.title ?? ''),
      description: cutText('google_merchant', 'description', item.description ?? ''),
      link: item.link,
      imageLink: item.imageLink,
      availability: item.availability?.toUpperCase(),
      price: price(item.priceMinor ?? 0),
      condition: item.condition.toUpperCase(),
      ...(item.availabilityDate === undefined ? {} : { availabilityDate: isoOf(item.availabilityDate) }),
      ...(item.brand === undefined ? {} : { brand: item.brand }),
      ...(item.gtin === undefined ? {} : { gtins: [item.gtin] }),
      ...(item.mpn === undefined ? {} : { mpn: item.mpn }),
      ...(item.identifierExists ? {} : { identifierExists: false }),
      ...(item.itemGroupId === undefined ? {} : { itemGroupId: item.itemGroupId }),
      ...(sale === undefined
        ? {}
        : {
            salePrice: price(sale.priceMinor),
            salePriceEffectiveDate: {
              startTime: sale.startsAt.toISOString(),
              ...(sale.endsAt === undefined ? {} : { endTime: sale.endsAt.toISOString() }),
            },
          }),
    },
  };
}

const isoOf = (text: string): string => new Date(text).toISOString();

/**
 * `en~US~sku123`, as product inputs and products are named; unpadded base64url where a part holds what a path or the name
 * itself gives a meaning.
 */
export function googleProductName({ contentLanguage, feedLabel }: GoogleMerchantAccount, itemId: string): string {
  const name = `${contentLanguage}~${feedLabel}~${itemId}`;
  return /[/%~]/.test(itemId) ? Buffer.from(name).toString('base64url') : name;
}
