import { z } from 'zod';
import { LanewayError } from '../../../runtime/errors.ts';
import { type FeedHttp, callFeedNetwork, notUnderstood, refused, tooMany } from './call-network.ts';
import { metaExpectation } from './describe-item.ts';
import type { MetaCatalogAccount } from './feed-account.ts';
import type { FeedIssue } from './feed-item.ts';
import type { FeedLine } from './feed-lines.ts';
import { type FeedNetwork, type ShownItem, networkIssue } from './feed-network.ts';

const messages = z.array(z.looseObject({ message: z.string() })).default([]);

const batchAnswer = z.looseObject({
  handles: z.array(z.string()).default([]),
  validation_status: z
    .array(z.looseObject({ retailer_id: z.string(), errors: messages, warnings: messages }))
    .default([]),
});

const productsAnswer = z.looseObject({
  data: z.array(
    z.looseObject({
      retailer_id: z.string(),
      review_status: z.string().optional(),
      errors: z.array(z.looseObject({ title: z.string().optional(), description: z.string().optional() })).default([]),
    }),
  ),
});

const errorBody = z.looseObject({
  error: z.looseObject({ message: z.string(), code: z.int(), is_transient: z.boolean().optional() }),
});

/** Application, user, account and catalog limits. */
const TOO_MANY = new Set([4, 17, 613, 80_004, 80_009, 80_014]);
const TEMPORARY = new Set([1, 2]);
const READ_PAGE = 100;

/** Meta's catalog batch API. A batch is carried out later; what became of it shows in the catalog itself. */
export function createMetaCatalog(http: FeedHttp): FeedNetwork<MetaCatalogAccount> {
  return {
    limits: { quota: [{ calls: 100, perMs: 60_000 }], concurrency: 2 },

    async submit({ catalogId }, lines, signal) {
      const { status, json } = await callFeedNetwork(http, 'POST', `/${catalogId}/items_batch`, signal, {
        item_type: 'PRODUCT_ITEM',
        allow_upsert: true,
        requests: lines.map(requestOf),
      });
      if (status !== 200) throw refusalOf(status, json);
      const answer = batchAnswer.safeParse(json);
      if (!answer.success) throw notUnderstood('POST', answer.error);
      const said = new Map(answer.data.validation_status.map((each) => [each.retailer_id, each]));
      return lines.map((line) => {
        const { errors = [], warnings = [] } = said.get(line.item) ?? {};
        const issues = [...issuesOf('error', errors), ...issuesOf('warning', warnings)];
        if (errors.length > 0) return { itemId: line.item, state: 'rejected', issues };
        return { itemId: line.item, state: 'remove' in line ? 'removed' : 'submitted', issues };
      });
    },

    async readBack({ catalogId }, itemIds, signal) {
      const shown = new Map<string, ShownItem>();
      for (let at = 0; at < itemIds.length; at += READ_PAGE) {
        const ids = itemIds.slice(at, at + READ_PAGE);
        const filter = encodeURIComponent(JSON.stringify({ retailer_id: { is_any: ids } }));
        const fields = 'retailer_id,price,sale_price,availability,review_status,errors';
        const path = `/${catalogId}/products?filter=${filter}&fields=${fields}&limit=${READ_PAGE}`;
        const { status, json } = await callFeedNetwork(http, 'GET', path, signal);
        if (status !== 200) throw refusalOf(status, json);
        const answer = productsAnswer.safeParse(json);
        if (!answer.success) throw notUnderstood('GET', answer.error);
        for (const product of answer.data.data) shown.set(product.retailer_id, shownItem(product));
      }
      return shown;
    },
  };
}

const requestOf = (line: FeedLine): Record<string, unknown> =>
  'remove' in line ? { method: 'DELETE', data: { id: line.item } } : { method: 'UPDATE', data: line.body };

const issuesOf = (severity: FeedIssue['severity'], said: readonly { message: string }[]): FeedIssue[] =>
  said.map(({ message }) => networkIssue(severity, 'refused', 'product', message));

function shownItem(product: z.infer<typeof productsAnswer>['data'][number]): ShownItem {
  const state =
    product.review_status === 'rejected' ? 'disapproved' : product.review_status === 'pending' ? 'pending' : 'approved';
  return {
    state,
    shows: metaExpectation(product),
    issues: product.errors.map(({ title = 'rejected', description = title }) =>
      networkIssue('error', 'rejected', 'product', description),
    ),
  };
}

function refusalOf(status: number, json: unknown): LanewayError {
  const parsed = errorBody.safeParse(json);
  if (!parsed.success) return refused(status, JSON.stringify(json));
  const { message, code, is_transient: transient = false } = parsed.data.error;
  if (TOO_MANY.has(code)) return tooMany(`${code}: ${message}`);
  // Temporary errors say nothing about what was done.
  if (transient || TEMPORARY.has(code))
    return new LanewayError('effect.outcome_unknown', `the catalog answered ${code}: ${message}`, { retry: 'backoff' });
  return refused(status, `${code}: ${message}`);
}
