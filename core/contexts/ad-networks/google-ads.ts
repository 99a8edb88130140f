import { z } from 'zod';
import { type AccessTokens, withToken } from './access-tokens.ts';
import { readGoogleAdsRefusal, refusalOf } from './google-ads-errors.ts';
import { callNetwork, notUnderstood } from './http.ts';
import type { AdAccount, AdNetwork, CampaignFields, NetworkCampaign } from './network.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { googleAdObjects } from './google-ad-objects.ts';
import { type GoogleCalls, googleAudiences } from './google-audiences.ts';
import { GOOGLE_FIGURES, googleDays, googleFigures, readGoogleFigures } from './google-figures.ts';
import { googleMask } from './google-mask.ts';
import { minorOfMicros, minorToMicros } from '../../money/currency.ts';

const VERSION = 'v26';
const MAX_REPORT_BYTES = 32_000_000;
const statusOf = { active: 'ENABLED', paused: 'PAUSED', ended: 'REMOVED' } as const;
const stateOf = { ENABLED: 'active', PAUSED: 'paused', REMOVED: 'ended' } as const;

const int64 = z.coerce.number().int().min(0);
const mutated = z.looseObject({
  mutateOperationResponses: z
    .array(z.looseObject({ campaignResult: z.looseObject({ resourceName: z.string() }).optional() }))
    .default([]),
  partialFailureError: z.unknown().optional(),
});
const batches = z.array(z.looseObject({ results: z.array(z.unknown()).default([]) }));
const campaignRow = z.looseObject({
  campaign: z.looseObject({
    id: z.string(),
    name: z.string(),
    status: z.enum(['ENABLED', 'PAUSED', 'REMOVED']),
    campaignBudget: z.string().optional(),
  }),
  campaignBudget: z.looseObject({ amountMicros: int64.optional() }).optional(),
});
const customerRow = z.looseObject({ customer: z.looseObject({ currencyCode: z.string(), timeZone: z.string() }) });
const reportRow = googleFigures.extend({ campaign: z.looseObject({ id: z.string() }) });

const CAMPAIGN_FIELDS =
  'campaign.id, campaign.name, campaign.status, campaign.campaign_budget, campaign_budget.amount_micros';

export interface GoogleAdsOptions {
  /** `https://googleads.googleapis.com` */
  baseUrl: string;
  tokens: AccessTokens;
  /** `https://datamanager.googleapis.com` */
  dataManagerUrl: string;
  /** The manager account through which the customers are reached, digits. */
  loginCustomerId?: string | undefined;
}

/**
 * Google Ads over REST. Campaign and budget are made by one request, all or nothing, through temporary names; the name of a
 * campaign is unique in its account, which is what keeps a call that was made twice from making two.
 */
export function createGoogleAds({ baseUrl, dataManagerUrl, tokens, loginCustomerId }: GoogleAdsOptions): AdNetwork {
  const post = (accountId: string, method: string, body: object, write: boolean, signal: AbortSignal) =>
    withToken(tokens, signal, (token) =>
      callNetwork(
        {
          method: 'POST',
          url: `${baseUrl}/${VERSION}/customers/${accountId}/googleAds:${method}`,
          headers: {
            authorization: `Bearer ${token}`,
            ...(loginCustomerId === undefined ? {} : { 'login-customer-id': loginCustomerId }),
          },
          body,
          write,
          ...(write ? {} : { maxBytes: MAX_REPORT_BYTES }),
        },
        signal,
        readGoogleAdsRefusal,
      ),
    );

  const dataManager = (method: string, body: object, signal: AbortSignal) =>
    withToken(tokens, signal, (token) =>
      callNetwork(
        {
          method: 'POST',
          url: `${dataManagerUrl}/v1/${method}`,
          headers: { authorization: `Bearer ${token}` },
          body,
          write: true,
        },
        signal,
        readGoogleAdsRefusal,
      ),
    );

  const query = async <T>(accountId: string, schema: z.ZodType<T>, gaql: string, signal: AbortSignal): Promise<T[]> => {
    const answer = await post(accountId, 'searchStream', { query: gaql }, false, signal);
    const rows = batches.safeParse(answer);
    if (!rows.success) throw notUnderstood(false, rows.error);
    return rows.data.flatMap(({ results }) => results.map((row) => parseRow(schema, row)));
  };

  const mutate = async (accountId: string, mutateOperations: object[], signal: AbortSignal) => {
    const body = { mutateOperations, partialFailure: false, validateOnly: false };
    const answer = mutated.safeParse(await post(accountId, 'mutate', body, true, signal));
    if (!answer.success) throw notUnderstood(true, answer.error);
    if (answer.data.partialFailureError !== undefined) {
      const { said } = refusalOf(answer.data.partialFailureError);
      throw new LanewayError('effect.outcome_unknown', `a part of the change failed: ${said}`, { retry: 'backoff' });
    }
    return answer.data.mutateOperationResponses;
  };

  const campaigns = async (account: AdAccount, where: string, signal: AbortSignal): Promise<NetworkCampaign[]> => {
    const gaql = `SELECT ${CAMPAIGN_FIELDS} FROM campaign WHERE ${where}`;
    const rows = await query(account.accountId, campaignRow, gaql, signal);
    return rows.map(({ campaign, campaignBudget }) => ({
      externalId: campaign.id,
      name: campaign.name,
      state: stateOf[campaign.status],
      dailyBudgetMinor:
        campaignBudget?.amountMicros === undefined
          ? undefined
          : minorOfMicros(campaignBudget.amountMicros, account.currency),
    }));
  };

  const calls: Pick<GoogleCalls, 'query' | 'mutate'> = {
    query: (accountId, gaql, signal) => query(accountId, z.unknown(), gaql, signal),
    mutate,
  };
  return {
    id: 'google_ads',
    audiences: googleAudiences({ ...calls, dataManager }),
    adObjects: googleAdObjects(calls),

    async readAccount(accountId, signal) {
      const gaql = 'SELECT customer.id, customer.currency_code, customer.time_zone FROM customer LIMIT 1';
      const [row] = await query(accountId, customerRow, gaql, signal);
      if (row === undefined) throw notUnderstood(false, new Error(`no customer ${accountId}`));
      return { accountId, currency: row.customer.currencyCode, timeZone: row.customer.timeZone };
    },

    async createCampaign(account, fields, _, signal) {
      const budget = `customers/${account.accountId}/campaignBudgets/-1`;
      const responses = await mutate(
        account.accountId,
        [
          {
            campaignBudgetOperation: {
              create: {
                resourceName: budget,
                name: fields.name,
                amountMicros: minorToMicros(fields.dailyBudgetMinor, account.currency).toString(),
                deliveryMethod: 'STANDARD',
                explicitlyShared: false,
              },
            },
          },
          {
            campaignOperation: {
              create: {
                name: fields.name,
                status: fields.state === 'active' ? 'ENABLED' : 'PAUSED',
                advertisingChannelType: 'SEARCH',
                campaignBudget: budget,
                manualCpc: {},
                containsEuPoliticalAdvertising: 'DOES_NOT_CONTAIN_EU_POLITICAL_ADVERTISING',
                ...endOf(fields, account),
              },
            },
          },
        ],
        signal,
      );
      const name = responses.find(({ campaignResult }) => campaignResult !== undefined)?.campaignResult?.resourceName;
      const id = /\/(\d+)$/.exec(name ?? '')?.[1];
      if (id === undefined) throw notUnderstood(true, new Error('no resource name of a campaign'));
      return id;
    },

    async changeCampaign(account, externalId, fields, signal) {
      const resourceName = `customers/${account.accountId}/campaigns/${externalId}`;
      const gaql = `SELECT ${CAMPAIGN_FIELDS} FROM campaign WHERE campaign.id = ${externalId}`;
      const [held] = await query(account.accountId, campaignRow, gaql, signal);
      if (held === undefined) throw new LanewayError('effect.rejected', `the ad network has no campaign ${externalId}`);
      if (fields.state === 'ended') {
        if (held.campaign.status !== 'REMOVED')
          await mutate(account.accountId, [{ campaignOperation: { remove: resourceName } }], signal);
        return;
      }
      const update = {
        resourceName,
        ...(fields.name === undefined ? {} : { name: fields.name }),
        ...(fields.state === undefined ? {} : { status: statusOf[fields.state] }),
        ...endOf(fields, account),
      };
      const amountMicros =
        fields.dailyBudgetMinor === undefined
          ? undefined
          : minorToMicros(fields.dailyBudgetMinor, account.currency).toString();
      await mutate(
        account.accountId,
        [
          { campaignOperation: { update, updateMask: googleMask(update) } },
          ...(amountMicros === undefined || held.campaign.campaignBudget === undefined
            ? []
            : [
                {
                  campaignBudgetOperation: {
                    update: { resourceName: held.campaign.campaignBudget, amountMicros },
                    updateMask: 'amount_micros',
                  },
                },
              ]),
        ],
        signal,
      );
    },

    // Underscores and percent signs would be wildcards; a tag has neither.
    findCampaigns: (account, text, signal) => campaigns(account, `campaign.name LIKE '%${text}%'`, signal),

    listCampaigns: (account, signal) => campaigns(account, "campaign.status != 'REMOVED'", signal),

    async report(account, range, signal) {
      const gaql = `SELECT campaign.id, ${GOOGLE_FIGURES} FROM campaign WHERE ${googleDays(range)}`;
      const rows = await query(account.accountId, reportRow, gaql, signal);
      return rows.map((row) => ({ externalId: row.campaign.id, ...readGoogleFigures(row) }));
    },
  };
}

/** `yyyy-MM-dd HH:mm:ss` in the account's zone. */
function endOf({ endAt }: Partial<CampaignFields>, { timeZone }: AdAccount): { endDateTime?: string } {
  if (endAt === undefined) return {};
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' });
  return { endDateTime: format.format(new Date(endAt)) };
}

function parseRow<T>(schema: z.ZodType<T>, row: unknown): T {
  const parsed = schema.safeParse(row);
  if (parsed.success) return parsed.data;
  throw notUnderstood(false, parsed.error);
}
