import type { FeedNetworkId } from './feed-account.ts';
import type { FeedIssue, FeedItem } from './feed-item.ts';

/** Lengths in characters, ids in bytes: beyond them a network refuses the item, or cuts it where we do not. */
const limits = {
  google_merchant: { idBytes: 50, title: 150, description: 5_000 },
  meta_catalog: { idBytes: 100, title: 200, description: 9_999 },
} as const satisfies Record<FeedNetworkId, { idBytes: number; title: number; description: number }>;

/** What a network would say about an item, said before it is sent. */
export function validateItem(network: FeedNetworkId, item: FeedItem): FeedIssue[] {
  return [
    ...missing(item),
    ...identifierIssues(network, item),
    ...priceIssues(item),
    ...availabilityIssues(network, item),
    ...linkIssues(item),
    ...lengthIssues(network, item),
  ];
}

export const isSendable = (issues: readonly FeedIssue[]): boolean =>
  !issues.some(({ severity }) => severity === 'error');

const error = (attribute: string, what: string, message: string): FeedIssue => ({
  severity: 'error',
  code: `${attribute}.${what}`,
  attribute,
  message,
});

const warning = (attribute: string, what: string, message: string): FeedIssue => ({
  ...error(attribute, what, message),
  severity: 'warning',
});

function missing(item: FeedItem): FeedIssue[] {
  const required = ['title', 'description', 'link', 'imageLink', 'availability'] as const;
  return required
    .filter((attribute) => item[attribute] === undefined)
    .map((attribute) => error(attribute, 'missing', `the product has no ${attribute}`));
}

/** Google wants to know which product it is, Meta whose: each wants the other's at least where it helps. */
function identifierIssues(network: FeedNetworkId, { gtin, brand, mpn, identifierExists }: FeedItem): FeedIssue[] {
  if (gtin !== undefined && !isGtin(gtin))
    return [error('gtin', 'invalid', `${gtin.slice(0, 50)} is not a GTIN: 8, 12, 13 or 14 digits with a check digit`)];
  switch (network) {
    case 'google_merchant':
      if (gtin !== undefined || !identifierExists) return [];
      return brand !== undefined && mpn !== undefined
        ? [warning('gtin', 'missing', 'brand and MPN stand in for the GTIN; with one it is shown more')]
        : [error('gtin', 'missing', 'a GTIN is needed, or brand and MPN, or identifierExists: false')];
    case 'meta_catalog':
      if (brand === undefined) return [error('brand', 'missing', 'the product has no brand')];
      return gtin === undefined ? [warning('gtin', 'missing', 'the product has no GTIN')] : [];
    default:
      return network satisfies never;
  }
}

function priceIssues({ priceMinor, currency, sale }: FeedItem): FeedIssue[] {
  if (priceMinor === undefined || currency === undefined)
    return [error('price', 'missing', `the product has no ${priceMinor === undefined ? 'price' : 'currency'}`)];
  if (priceMinor <= 0) return [error('price', 'invalid', 'the price must be more than nothing')];
  if (sale !== undefined && (sale.priceMinor < 0 || sale.priceMinor >= priceMinor))
    return [error('salePrice', 'invalid', 'a sale price must be below the price')];
  return [];
}

function availabilityIssues(network: FeedNetworkId, { availability, availabilityDate }: FeedItem): FeedIssue[] {
  if (availability === undefined) return [];
  if (!['in_stock', 'out_of_stock', 'preorder', 'backorder'].includes(availability))
    return [error('availability', 'invalid', `${availability.slice(0, 50)} is not an availability`)];
  const isLater = availability === 'preorder' || availability === 'backorder';
  if (network === 'google_merchant' && isLater && !isDate(availabilityDate))
    return [error('availabilityDate', 'missing', `${availability} needs the date from which it is delivered`)];
  return [];
}

const isDate = (text: string | undefined): boolean => text !== undefined && !Number.isNaN(Date.parse(text));

function linkIssues({ link, imageLink }: FeedItem): FeedIssue[] {
  return [
    ...(link === undefined || isWebUrl(link) ? [] : [error('link', 'invalid', 'link is not an http or https URL')]),
    ...(imageLink === undefined || isWebUrl(imageLink)
      ? []
      : [error('imageLink', 'invalid', 'imageLink is not an http or https URL')]),
  ];
}

const isWebUrl = (text: string): boolean => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);

function lengthIssues(network: FeedNetworkId, { itemId, title, description }: FeedItem): FeedIssue[] {
  const limit = limits[network];
  return [
    ...(Buffer.byteLength(itemId) > limit.idBytes
      ? [error('id', 'too_long', `the id is longer than ${limit.idBytes} bytes`)]
      : []),
    ...(title !== undefined && title.length > limit.title
      ? [warning('title', 'too_long', `cut to ${limit.title} characters`)]
      : []),
    ...(description !== undefined && description.length > limit.description
      ? [warning('description', 'too_long', `cut to ${limit.description} characters`)]
      : []),
  ];
}

/** Cuts between code points. */
export const cutText = (network: FeedNetworkId, attribute: 'title' | 'description', text: string): string => {
  const limit = limits[network][attribute];
  return text.length <= limit ? text : text.slice(0, limit).replace(/[\uD800-\uDBFF]$/, '');
};

/** GS1: weights 3 and 1 from the right, the sum with the check digit divisible by ten. */
function isGtin(text: string): boolean {
  if (!/^(\d{8}|\d{12,14})$/.test(text)) return false;
  const sum = Array.from(text)
    .toReversed()
    .reduce((total, digit, index) => total + Number(digit) * (index % 2 === 0 ? 1 : 3), 0);
  return sum % 10 === 0;
}
