import { z } from 'zod';
import { type AccessTokens, withToken } from './access-tokens.ts';
import { callNetwork, notUnderstood } from './http.ts';
import type { AdAccount, AdNetwork, NetworkCampaign } from './network.ts';
import { tiktokAdObjects } from './tiktok-ad-objects.ts';
import { type TiktokCalls, tiktokAudiences } from './tiktok-audiences.ts';
import { readTiktokRefusal } from './tiktok-errors.ts';
import { readTiktokFigures, tiktokCampaignDay, tiktokReport } from './tiktok-figures.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { decimalOf, minorOfMicros } from '../../money/currency.ts';

const VERSION = 'open_api/v1.3';
const PAGE = 1_000;
const MAX_PAGES = 50;
const MAX_PAGE_BYTES = 8_000_000;

const operationOf = { active: 'ENABLE', paused: 'DISABLE', ended: 'DELETE' } as const;
const stateOf = { ENABLE: 'active', DISABLE: 'paused', DELETE: 'ended' } as const;

const created = z.looseObject({ campaign_id: z.string().min(1) });
const campaign = z.looseObject({
  campaign_id: z.string(),
  campaign_name: z.string(),
  operation_status: z.enum(['ENABLE', 'DISABLE', 'DELETE']),
  secondary_status: z.string().optional(),
  budget: z.number().optional(),
});
const page = z.looseObject({ list: z.array(z.unknown()), page_info: z.looseObject({ total_page: z.int() }) });
const advertisers = z.looseObject({ list: z.array(z.looseObject({ currency: z.string(), timezone: z.string() })) });

export interface TiktokOptions {
  /** `https://business-api.tiktok.com` */
  baseUrl: string;
  tokens: AccessTokens;
}

/**
 * TikTok's Business API. A `request_id` makes a creation idempotent, but for seconds only: long enough for a connection that
 * breaks, too short for anything that waits out a quarantine.
 */
export function createTiktok({ baseUrl, tokens }: TiktokOptions): AdNetwork {
  const call = async <T>(
    method: 'GET' | 'POST',
    path: string,
    given: Record<string, unknown> | FormData,
    schema: z.ZodType<T>,
    signal: AbortSignal,
  ): Promise<T> => {
    // Without the slash at its end a path leads nowhere.
    const url = new URL(`${baseUrl}/${VERSION}/${path}/`);
    if (method === 'GET' && !(given instanceof FormData))
      for (const [name, value] of Object.entries(given))
        url.searchParams.set(name, typeof value === 'string' ? value : JSON.stringify(value));
    const write = method === 'POST';
    const answer = await withToken(tokens, signal, (token) =>
      callNetwork(
        {
          method,
          url: url.toString(),
          headers: { 'access-token': token },
          body: write ? given : undefined,
          write,
          maxBytes: MAX_PAGE_BYTES,
        },
        signal,
        readTiktokRefusal,
      ),
    );
    const parsed = z.looseObject({ data: schema }).safeParse(answer);
    if (!parsed.success) throw notUnderstood(write, parsed.error);
    return parsed.data.data;
  };

  const all = async <T>(path: string, query: Record<string, unknown>, item: z.ZodType<T>, signal: AbortSignal) => {
    const items: T[] = [];
    for (let at = 1; at <= MAX_PAGES; at++) {
      const { list, page_info: info } = await call('GET', path, { ...query, page: at, page_size: PAGE }, page, signal);
      for (const each of list) {
        const parsed = item.safeParse(each);
        if (!parsed.success) throw notUnderstood(false, parsed.error);
        items.push(parsed.data);
      }
      if (at >= info.total_page) return items;
    }
    throw new LanewayError('effect.rejected', `the ad network lists more than ${MAX_PAGES * PAGE} of ${path}`);
  };

  const campaigns = async (account: AdAccount, filtering: object, signal: AbortSignal): Promise<NetworkCampaign[]> => {
    const query = { advertiser_id: account.accountId, filtering };
    const found = await all('campaign/get', query, campaign, signal);
    return found.map((each) => ({
      externalId: each.campaign_id,
      name: each.campaign_name,
      state: each.secondary_status === 'CAMPAIGN_STATUS_DELETE' ? 'ended' : stateOf[each.operation_status],
      // A float of the major unit: rounded to micros first, so that 0.07 is 7 cents and not 6.
      dailyBudgetMinor:
        each.budget === undefined ? undefined : minorOfMicros(Math.round(each.budget * 1e6), account.currency),
    }));
  };

  /** The API takes a JSON number; its digits are those of the decimal text. */
  const budgetOf = (minor: number, { currency }: AdAccount): number => Number(decimalOf(minor, currency));

  const calls: TiktokCalls = { post: (path, body, schema, signal) => call('POST', path, body, schema, signal), all };
  return {
    id: 'tiktok',
    audiences: tiktokAudiences(calls),
    adObjects: tiktokAdObjects(calls, requestIdOf),

    async readAccount(accountId, signal) {
      const query = { advertiser_ids: [accountId], fields: ['currency', 'timezone'] };
      const { list } = await call('GET', 'advertiser/info', query, advertisers, signal);
      const [info] = list;
      if (info === undefined) throw notUnderstood(false, new Error(`no advertiser ${accountId}`));
      return { accountId, currency: info.currency, timeZone: info.timezone };
    },

    async createCampaign(account, fields, requestKey, signal) {
      const body = {
        advertiser_id: account.accountId,
        campaign_name: fields.name,
        objective_type: 'WEB_CONVERSIONS',
        budget_mode: 'BUDGET_MODE_DAY',
        budget: budgetOf(fields.dailyBudgetMinor, account),
        operation_status: fields.state === 'active' ? 'ENABLE' : 'DISABLE',
        request_id: requestIdOf(requestKey),
      };
      return (await call('POST', 'campaign/create', body, created, signal)).campaign_id;
    },

    async changeCampaign(account, externalId, fields, signal) {
      const filtering = { campaign_ids: [externalId], primary_status: 'STATUS_ALL' };
      const [held] = await campaigns(account, filtering, signal);
      if (held === undefined) throw new LanewayError('effect.rejected', `the ad network has no campaign ${externalId}`);
      const named = fields.name !== undefined && fields.name !== held.name;
      const budgeted = fields.dailyBudgetMinor !== undefined && fields.dailyBudgetMinor !== held.dailyBudgetMinor;
      const advertiser = { advertiser_id: account.accountId };
      const any = z.looseObject({});
      if (fields.state !== 'ended' && (named || budgeted))
        await call(
          'POST',
          'campaign/update',
          {
            ...advertiser,
            campaign_id: externalId,
            ...(named ? { campaign_name: fields.name } : {}),
            ...(budgeted ? { budget: budgetOf(fields.dailyBudgetMinor ?? 0, account) } : {}),
          },
          any,
          signal,
        );
      if (fields.state !== undefined && fields.state !== held.state)
        await call(
          'POST',
          'campaign/status/update',
          { ...advertiser, campaign_ids: [externalId], operation_status: operationOf[fields.state] },
          any,
          signal,
        );
    },

    findCampaigns: (account, name, signal) =>
      campaigns(account, { campaign_name: name, primary_status: 'STATUS_ALL' }, signal),

    listCampaigns: (account, signal) => campaigns(account, {}, signal),

    async report({ accountId }, range, signal) {
      const query = tiktokReport(accountId, 'campaign', range);
      const rows = await all('report/integrated/get', query, tiktokCampaignDay, signal);
      return rows.map((row) => ({ externalId: row.dimensions.campaign_id, ...readTiktokFigures(row) }));
    },
  };
}

/** A 64-bit integer as text, from the hexadecimal key of the call. */
const requestIdOf = (requestKey: string): string => BigInt(`0x${requestKey.slice(0, 15)}`).toString();
