import { z } from 'zod';
import { type FeedHttp, callFeedNetwork, notUnderstood, refused, tooMany } from './call-network.ts';
import { googleExpectation } from './describe-item.ts';
import type { GoogleMerchantAccount } from './feed-account.ts';
import type { ItemVerdict } from './feed-items.ts';
import type { FeedLine } from './feed-lines.ts';
import { type FeedNetwork, type ShownItem, inParallel, networkIssue } from './feed-network.ts';
import { googleProductName } from './google-product.ts';

/** The API takes one product input a call. */
const WIDTH = 10;

const errorBody = z.looseObject({
  error: z.looseObject({
    status: z.string().optional(),
    message: z.string(),
    details: z.array(z.looseObject({ metadata: z.record(z.string(), z.string()).optional() })).optional(),
  }),
});

const productStatus = z.looseObject({
  destinationStatuses: z
    .array(
      z.looseObject({
        approvedCountries: z.array(z.string()).optional(),
        pendingCountries: z.array(z.string()).optional(),
        disapprovedCountries: z.array(z.string()).optional(),
      }),
    )
    .optional(),
  itemLevelIssues: z
    .array(
      z.looseObject({
        code: z.string(),
        severity: z.string(),
        attribute: z.string().optional(),
        description: z.string().optional(),
      }),
    )
    .optional(),
});

const product = z.looseObject({
  productAttributes: z.looseObject({}).optional(),
  productStatus: productStatus.optional(),
});

/** Google's Merchant API, products v1. */
export function createGoogleMerchant(http: FeedHttp): FeedNetwork<GoogleMerchantAccount> {
  return {
    // What an account is allowed is its own matter and not published as one figure; a refusal pauses everybody anyway.
    limits: { quota: [{ calls: 600, perMs: 60_000 }], concurrency: 2 },

    submit: (account, lines, signal) =>
      inParallel(lines, WIDTH, (line) =>
        'remove' in line ? remove(http, account, line.item, signal) : insert(http, account, line, signal),
      ),

    async readBack(account, itemIds, signal) {
      const shown = await inParallel(itemIds, WIDTH, async (itemId) => {
        const path = `${accountPath(account)}/products/${encodeURIComponent(googleProductName(account, itemId))}`;
        const { status, json } = await callFeedNetwork(http, 'GET', path, signal);
        if (status === 404) return undefined;
        if (status !== 200) throw refusalOf(status, json);
        const parsed = product.safeParse(json);
        if (!parsed.success) throw notUnderstood('GET', parsed.error);
        return [itemId, shownItem(parsed.data)] as const;
      });
      return new Map(shown.filter((entry) => entry !== undefined));
    },
  };
}

const accountPath = ({ merchantCenterId }: GoogleMerchantAccount): string =>
  `/products/v1/accounts/${encodeURIComponent(merchantCenterId)}`;

const dataSourceOf = ({ merchantCenterId, dataSourceId }: GoogleMerchantAccount): string =>
  encodeURIComponent(`accounts/${merchantCenterId}/dataSources/${dataSourceId}`);

async function insert(
  http: FeedHttp,
  account: GoogleMerchantAccount,
  line: Extract<FeedLine, { body: unknown }>,
  signal: AbortSignal,
): Promise<ItemVerdict> {
  const path = `${accountPath(account)}/productInputs:insert?dataSource=${dataSourceOf(account)}`;
  const { status, json } = await callFeedNetwork(http, 'POST', path, signal, line.body);
  if (status === 200) return { itemId: line.item, state: 'submitted', issues: [] };
  return verdictOf(line.item, status, json);
}

async function remove(
  http: FeedHttp,
  account: GoogleMerchantAccount,
  item: string,
  signal: AbortSignal,
): Promise<ItemVerdict> {
  const name = encodeURIComponent(googleProductName(account, item));
  const path = `${accountPath(account)}/productInputs/${name}?dataSource=${dataSourceOf(account)}`;
  const { status, json } = await callFeedNetwork(http, 'DELETE', path, signal);
  // What is not there need not be removed.
  if (status === 200 || status === 404) return { itemId: item, state: 'removed', issues: [] };
  return verdictOf(item, status, json);
}

/** A 400 speaks of the item, and so does ABORTED: a newer version is there. Anything else speaks of the call. */
function verdictOf(itemId: string, status: number, json: unknown): ItemVerdict {
  const parsed = errorBody.safeParse(json);
  if (!parsed.success) throw notUnderstood('POST', parsed.error);
  const { message, status: name } = parsed.data.error;
  if (name === 'ABORTED')
    return { itemId, state: 'rejected', issues: [networkIssue('error', 'older_version', 'id', message)] };
  if (status !== 400) throw refusalOf(status, json);
  return { itemId, state: 'rejected', issues: [networkIssue('error', 'refused', 'id', message)] };
}

function refusalOf(status: number, json: unknown): Error {
  const parsed = errorBody.safeParse(json);
  if (!parsed.success) return refused(status, JSON.stringify(json));
  const { message, details = [] } = parsed.data.error;
  const reasons = details.map(({ metadata }) => metadata?.['REASON'] ?? '');
  if (reasons.some((reason) => /rate_too_high|daily_limit_exceeded/.test(reason))) return tooMany(message);
  return refused(status, message);
}

function shownItem({ productAttributes, productStatus: status = {} }: z.infer<typeof product>): ShownItem {
  const destinations = status.destinationStatuses ?? [];
  const some = (pick: (d: (typeof destinations)[number]) => readonly string[] | undefined) =>
    destinations.some((destination) => (pick(destination)?.length ?? 0) > 0);
  const approved = some((d) => d.approvedCountries);
  const state = approved ? 'approved' : some((d) => d.disapprovedCountries) ? 'disapproved' : 'pending';
  return {
    state,
    shows: googleExpectation(productAttributes),
    issues: (status.itemLevelIssues ?? []).map((issue) =>
      networkIssue(
        issue.severity === 'DISAPPROVED' ? 'error' : 'warning',
        issue.code,
        issue.attribute ?? 'product',
        issue.description ?? issue.code,
      ),
    ),
  };
}
