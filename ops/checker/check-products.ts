import { isDeepStrictEqual } from 'node:util';
import { type ProductCoreDataUpdated, upcastProductChange } from '../../core/contexts/catalog/events.ts';
import { type Evidence, type Finding, type ProductRow, keyOf } from './evidence.ts';
import type { ExpectedEvent } from './expected.ts';

interface Product {
  readonly merchantId: string;
  readonly productId: string;
  attributes: Record<string, unknown>;
  sourceAtMs: number;
  deleted: boolean;
  /** Changes that took effect. */
  revision: number;
}

/**
 * Each product must be what its events make of it, applied one after the other; and the dimension's count of changes must
 * be the number of distinct events, where one applied twice cannot hide.
 */
export function checkProducts(
  expected: readonly ExpectedEvent[],
  evidence: Evidence,
  dead: ReadonlySet<string>,
): Finding[] {
  const mseqs = new Map(evidence.accepted.map((a) => [keyOf(a.merchantId, a.eventId), a.mseq]));
  const changes = expected
    .filter(({ definition }) => definition.name === 'ProductCoreDataUpdatedEvent')
    .map((event) => ({ ...event, change: upcastProductChange(event.payload) }))
    // Between producers only arrival decides what comes first; within one, checkOrder holds arrival to producer order.
    .toSorted((a, b) => rank(mseqs, a) - rank(mseqs, b));

  const wanted = new Map<string, Product>();
  const counts = new Map<string, number>();
  for (const { merchantId, eventId, change } of changes) {
    const key = keyOf(merchantId, change.productId);
    if (!dead.has(keyOf(merchantId, eventId, 'handleProductCoreUpdate')))
      wanted.set(key, fold(wanted.get(key), merchantId, change));
    if (!dead.has(keyOf(merchantId, eventId, 'handleProductDimensionUpdate')))
      counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...compareProducts(wanted, evidence.products), ...compareDimensions(counts, wanted, evidence.dimensions)];
}

const rank = (mseqs: ReadonlyMap<string, number>, { merchantId, eventId }: ExpectedEvent): number =>
  mseqs.get(keyOf(merchantId, eventId)) ?? Number.MAX_SAFE_INTEGER;

function fold(before: Product | undefined, merchantId: string, change: ProductCoreDataUpdated): Product {
  const sourceAtMs = Date.parse(change.timestamp);
  // A change that is older than what is known changes nothing.
  if (before !== undefined && sourceAtMs < before.sourceAtMs) return before;
  return {
    merchantId,
    productId: change.productId,
    attributes: { ...before?.attributes, ...change.changedAttributes },
    sourceAtMs,
    deleted: change.operationType === 'delete',
    revision: (before?.revision ?? 0) + 1,
  };
}

function compareProducts(wanted: ReadonlyMap<string, Product>, rows: readonly ProductRow[]): Finding[] {
  const held = new Map(rows.map((row) => [keyOf(row.merchantId, row.productId), row]));
  const findings: Finding[] = [];
  for (const [key, product] of wanted) {
    const row = held.get(key);
    const difference = row === undefined ? 'is missing' : differenceOf(product, row);
    if (row !== undefined && row.revision > product.revision)
      findings.push({
        kind: 'duplicated',
        what: `product ${product.productId} of ${product.merchantId} was changed ${row.revision} times by ${product.revision} changes`,
      });
    else if (difference !== undefined)
      findings.push({ kind: 'lost', what: `product ${product.productId} of ${product.merchantId} ${difference}` });
  }
  for (const [key, row] of held) {
    if (!wanted.has(key))
      findings.push({
        kind: 'duplicated',
        what: `product ${row.productId} of ${row.merchantId} exists although nobody sent it`,
      });
  }
  return findings;
}

function differenceOf(product: Product, row: ProductRow): string | undefined {
  if (row.deleted !== product.deleted)
    return product.deleted ? 'was deleted but is still there' : 'is gone but was not deleted';
  if (row.revision < product.revision) return `took ${row.revision} of ${product.revision} changes`;
  if (row.sourceAtMs !== product.sourceAtMs)
    return `is as of ${iso(row.sourceAtMs)} instead of ${iso(product.sourceAtMs)}`;
  // What a deleted product looked like is nobody's business any more.
  if (product.deleted) return undefined;
  const { attributes } = product;
  for (const [name, value] of Object.entries(attributes)) {
    if (!isDeepStrictEqual(row.attributes[name], value))
      return `has ${name} ${JSON.stringify(row.attributes[name])} instead of ${JSON.stringify(value)}`;
  }
  const columns = [
    ['title', row.title],
    ['priceMinor', row.priceMinor],
    ['currency', row.currency],
    ['availability', row.availability],
  ] as const;
  for (const [name, value] of columns) {
    if (value !== (attributes[name] ?? null))
      return `shows ${name} ${JSON.stringify(value)} instead of ${JSON.stringify(attributes[name] ?? null)}`;
  }
  return undefined;
}

function compareDimensions(
  counts: ReadonlyMap<string, number>,
  wanted: ReadonlyMap<string, Product>,
  rows: Evidence['dimensions'],
): Finding[] {
  const held = new Map(rows.map((row) => [keyOf(row.merchantId, row.productId), row]));
  const findings: Finding[] = [];
  for (const [key, count] of counts) {
    const row = held.get(key);
    const changes = row?.changes ?? 0;
    if (changes !== count)
      findings.push({
        kind: changes > count ? 'duplicated' : 'lost',
        what: `the dimension of ${key} counts ${changes} changes of ${count}`,
      });
    else if (row?.active === wanted.get(key)?.deleted)
      findings.push({ kind: 'lost', what: `the dimension of ${key} is ${row?.active ? 'active' : 'inactive'}` });
  }
  for (const key of held.keys()) {
    if (!counts.has(key))
      findings.push({ kind: 'duplicated', what: `the dimension of ${key} exists although nobody sent it` });
  }
  return findings;
}

const iso = (ms: number): string => new Date(ms).toISOString();
