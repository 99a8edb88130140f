import { z } from 'zod';
import { type AccessTokens, withToken } from './access-tokens.ts';
import { type NetworkRequest, callNetwork, notUnderstood } from './http.ts';
import { metaAdObjects } from './meta-ad-objects.ts';
import { metaAudiences } from './meta-audiences.ts';
import { type MetaCalls, metaStates, metaStatuses } from './meta-calls.ts';
import { metaFigures, metaInsights, readMetaFigures } from './meta-figures.ts';
import { readMetaRefusal } from './meta-errors.ts';
import type { AdNetwork, CampaignFields, NetworkCampaign } from './network.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { exponentOf } from '../../money/currency.ts';

const VERSION = 'v26.0';
const PAGE = 500;
/** Pages of a listing; an account with more campaigns or report rows than this needs another way of reading. */
const MAX_PAGES = 100;
const MAX_PAGE_BYTES = 8_000_000;

const CAMPAIGN_FIELDS = 'id,name,status,daily_budget';

const created = z.looseObject({ id: z.string().min(1) });
const done = z.looseObject({ success: z.literal(true) });
const page = z.looseObject({
  data: z.array(z.unknown()),
  paging: z
    .looseObject({ cursors: z.looseObject({ after: z.string() }).optional(), next: z.string().optional() })
    .optional(),
});
const campaign = z.looseObject({
  id: z.string(),
  name: z.string(),
  status: z.enum(['ACTIVE', 'PAUSED', 'ARCHIVED', 'DELETED']),
  daily_budget: z.string().optional(),
});
const account = z.looseObject({ currency: z.string(), timezone_name: z.string() });
const insight = metaFigures.extend({ campaign_id: z.string() });

export interface MetaOptions {
  /** `https://graph.facebook.com` */
  baseUrl: string;
  tokens: AccessTokens;
}

/**
 * Meta's Marketing API. It knows no idempotency and lets campaigns share a name: what keeps a call from being made twice is
 * all on our side, and of twins the reconciler leaves one.
 */
export function createMeta({ baseUrl, tokens }: MetaOptions): AdNetwork {
  const call = (
    request: Pick<NetworkRequest, 'method' | 'body'> & { path: string; query?: Record<string, string> },
    signal: AbortSignal,
  ): Promise<unknown> => {
    const { method, path, query, body } = request;
    const url = new URL(`${baseUrl}/${VERSION}/${path}`);
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
    return withToken(tokens, signal, (token) =>
      callNetwork(
        {
          method,
          url: url.toString(),
          headers: { authorization: `Bearer ${token}` },
          body,
          write: method !== 'GET',
          maxBytes: MAX_PAGE_BYTES,
        },
        signal,
        readMetaRefusal,
      ),
    );
  };

  const all = async <T>(path: string, query: Record<string, string>, schema: z.ZodType<T>, signal: AbortSignal) => {
    const items: T[] = [];
    let after: string | undefined;
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      const asked = { ...query, limit: String(PAGE), ...(after === undefined ? {} : { after }) };
      const { data, paging } = parse(page, await call({ method: 'GET', path, query: asked }, signal), false);
      items.push(...data.map((item) => parse(schema, item, false)));
      after = paging?.cursors?.after;
      if (paging?.next === undefined || after === undefined) return items;
    }
    throw new LanewayError('effect.rejected', `the ad network lists more than ${MAX_PAGES * PAGE} of ${path}`);
  };

  const campaigns = async (accountId: string, filtering: object[], signal: AbortSignal): Promise<NetworkCampaign[]> => {
    const query = { fields: CAMPAIGN_FIELDS, filtering: JSON.stringify(filtering) };
    const found = await all(`act_${accountId}/campaigns`, query, campaign, signal);
    return found.map((each) => ({
      externalId: each.id,
      name: each.name,
      state: metaStates[each.status],
      dailyBudgetMinor: each.daily_budget === undefined ? undefined : minorOf(each.daily_budget),
    }));
  };

  const calls: MetaCalls = { call, all: (path, query, signal) => all(path, query, z.unknown(), signal) };
  return {
    id: 'meta',
    audiences: metaAudiences(calls),
    adObjects: metaAdObjects(calls),

    async readAccount(accountId, signal) {
      const query = { fields: 'currency,timezone_name' };
      const answer = await call({ method: 'GET', path: `act_${accountId}`, query }, signal);
      const { currency, timezone_name: timeZone } = parse(account, answer, false);
      return { accountId, currency, timeZone };
    },

    async createCampaign({ accountId, currency }, fields, _, signal) {
      const body = {
        ...bodyOf(fields, currency),
        objective: 'OUTCOME_SALES',
        special_ad_categories: [],
        bid_strategy: 'LOWEST_COST_WITHOUT_CAP',
      };
      const answer = await call({ method: 'POST', path: `act_${accountId}/campaigns`, body }, signal);
      return parse(created, answer, true).id;
    },

    async changeCampaign({ currency }, externalId, fields, signal) {
      // An archived campaign takes no other change.
      const body = fields.state === 'ended' ? { status: metaStatuses.ended } : bodyOf(fields, currency);
      parse(done, await call({ method: 'POST', path: externalId, body }, signal), true);
    },

    findCampaigns: ({ accountId }, text, signal) =>
      campaigns(
        accountId,
        [
          { field: 'name', operator: 'CONTAIN', value: text },
          // Archived ones are shown only to whoever asks for them.
          {
            field: 'effective_status',
            operator: 'IN',
            value: ['ACTIVE', 'PAUSED', 'ARCHIVED', 'IN_PROCESS', 'WITH_ISSUES'],
          },
        ],
        signal,
      ),

    listCampaigns: async ({ accountId }, signal) =>
      (await campaigns(accountId, [], signal)).filter(({ state }) => state !== 'ended'),

    async report({ accountId }, range, signal) {
      const rows = await all(`act_${accountId}/insights`, metaInsights('campaign', range), insight, signal);
      return rows.map((row) => ({ externalId: row.campaign_id, ...readMetaFigures(row) }));
    },
  };
}

/** Budgets are in cents, read back as strings. */
const minorOf = (text: string): number => Number(text);

function bodyOf(fields: Partial<CampaignFields>, currency: string): Record<string, unknown> {
  const { name, state, dailyBudgetMinor, endAt } = fields;
  if (dailyBudgetMinor !== undefined && exponentOf(currency) > 2)
    throw new LanewayError('effect.rejected', `budgets in ${currency} cannot be set: its unit on Meta is not known`);
  return {
    ...(name === undefined ? {} : { name }),
    ...(state === undefined ? {} : { status: metaStatuses[state] }),
    ...(dailyBudgetMinor === undefined ? {} : { daily_budget: dailyBudgetMinor }),
    ...(endAt === undefined ? {} : { stop_time: endAt }),
  };
}

function parse<T>(schema: z.ZodType<T>, answer: unknown, write: boolean): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw notUnderstood(write, parsed.error);
}
