import { randomUUID } from 'node:crypto';
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { z } from 'zod';
import { digitsOf } from './accounts.ts';
import { adDays } from './ad-figures.ts';
import { type Figures, daysBetween, figuresOf } from './figures.ts';
import type { Refusals } from './faults.ts';
import { type GaqlQuery, type GaqlRow, matches, parseGaql, project } from './gaql.ts';
import { errorResponse, quotaFault, statusOf } from './google-ads-errors.ts';
import { mutateRequest, planMutate, statusOfState } from './google-ads-mutate.ts';
import { isSelectable, settingsRow } from './google-ads-fields.ts';
import type { NetworkParts } from './network.ts';
import { type Owner, type StoredObject, numberOf, textOf } from './object-store.ts';

const BATCH = 1_000;
const TOKEN_SECONDS = 3_599;

const search = z.looseObject({ query: z.string() });
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const memberUpload = z.looseObject({
  destinations: z.array(
    z.looseObject({ operatingAccount: z.looseObject({ accountId: z.string() }), productDestinationId: z.string() }),
  ),
  audienceMembers: z
    .array(
      z.looseObject({
        userData: z.looseObject({
          userIdentifiers: z
            .array(z.union([z.strictObject({ emailAddress: sha256 }), z.strictObject({ phoneNumber: sha256 })]))
            .min(1)
            .max(10),
        }),
      }),
    )
    .min(1)
    .max(10_000),
  encoding: z.literal('HEX'),
});

/**
 * Google Ads over REST, version 26, mounted at `/google_ads`, with the token endpoint that stands for
 * oauth2.googleapis.com.
 */
export function googleAdsRoutes({ store, accounts, faults }: NetworkParts) {
  const api = new Hono<{ Bindings: HttpBindings }>();
  const tokens = new Set<string>();

  api.post('/token', async (c) => {
    const form = new URLSearchParams(await c.req.text());
    if (form.get('grant_type') !== 'refresh_token' || (form.get('refresh_token') ?? '') === '')
      return c.json({ error: 'invalid_grant', error_description: 'Bad Request' }, 400);
    const token = `ya29.${randomUUID()}`;
    tokens.add(token);
    return c.json({ access_token: token, expires_in: TOKEN_SECONDS, token_type: 'Bearer' });
  });

  // The Data Manager API, which stands for datamanager.googleapis.com: what it takes is processed later.
  api.post('/datamanager/v1/:method', async (c) => {
    const requestId = randomUUID();
    const bearer = /^Bearer (\S+)$/.exec(c.req.header('authorization') ?? '')?.[1] ?? '';
    const refusals = refusalsOf(requestId, bearer);
    if (!tokens.has(bearer)) return refusals.tokenExpired();
    const parsed = memberUpload.safeParse(await c.req.json().catch(() => undefined));
    const account = parsed.data?.destinations[0]?.operatingAccount.accountId ?? '';
    const owner: Owner = { network: 'google_ads', account };
    return faults.around(c, { ...owner, write: true }, refusals, () => {
      const [destination] = parsed.data?.destinations ?? [];
      const audienceId = destination?.productDestinationId ?? '';
      if (!parsed.success || store.get(owner, audienceId)?.kind !== 'audience') return refusals.rejected();
      const members = parsed.data.audienceMembers.flatMap(({ userData }) =>
        userData.userIdentifiers.flatMap((each) => Object.values(each)),
      );
      const op = c.req.param('method') === 'audienceMembers:ingest' ? 'add' : 'remove';
      store.create(owner, 'audience_members', { audienceId, [op]: members });
      return c.json({ requestId });
    });
  });

  api.post('/v26/customers/:customer/:method', async (c) => {
    const requestId = randomUUID();
    const owner: Owner = { network: 'google_ads', account: c.req.param('customer') };
    const method = c.req.param('method');
    const bearer = /^Bearer (\S+)$/.exec(c.req.header('authorization') ?? '')?.[1] ?? '';
    const refusals = refusalsOf(requestId, bearer);
    if (!tokens.has(bearer)) return refusals.tokenExpired();
    const body: unknown = await c.req.json().catch(() => undefined);
    const write = method === 'googleAds:mutate';
    const answer = () => (write ? mutate(owner, body, requestId) : searchStream(owner, body, requestId, method));
    const response = await faults.around(c, { ...owner, write }, refusals, answer);
    // Errors of a stream come wrapped in an array.
    if (method !== 'googleAds:searchStream' || response.ok || !response.headers.get('content-type')?.includes('json'))
      return response;
    return c.json([await response.json()], { status: response.status as 400, headers: { 'request-id': requestId } });
  });

  function refusalsOf(requestId: string, bearer: string): Refusals {
    const unauthenticated = () =>
      errorResponse(
        'UNAUTHENTICATED',
        [
          {
            errorCode: { authenticationError: 'OAUTH_TOKEN_EXPIRED' },
            message: 'Request had invalid authentication credentials.',
          },
        ],
        requestId,
      );
    return {
      internal: () =>
        errorResponse(
          'INTERNAL',
          [{ errorCode: { internalError: 'INTERNAL_ERROR' }, message: 'An internal error has occurred.' }],
          requestId,
        ),
      rejected: () =>
        errorResponse(
          'INVALID_ARGUMENT',
          [{ errorCode: { campaignBudgetError: 'MONEY_AMOUNT_TOO_LARGE' }, message: 'injected' }],
          requestId,
        ),
      limited: () => errorResponse('RESOURCE_EXHAUSTED', [quotaFault], requestId),
      conflict: () =>
        errorResponse(
          'ABORTED',
          [
            {
              errorCode: { databaseError: 'CONCURRENT_MODIFICATION' },
              message: 'Multiple requests were attempting to modify the same resource at once.',
            },
          ],
          requestId,
        ),
      tokenExpired: () => {
        tokens.delete(bearer);
        return unauthenticated();
      },
    };
  }

  function mutate(owner: Owner, body: unknown, requestId: string): Response {
    const parsed = mutateRequest.safeParse(body);
    if (!parsed.success)
      return errorResponse(
        'INVALID_ARGUMENT',
        [{ errorCode: { requestError: 'INVALID_INPUT' }, message: z.prettifyError(parsed.error) }],
        requestId,
      );
    const { mutateOperations, partialFailure, validateOnly } = parsed.data;
    const { currency } = accounts.of(owner);
    const planned = planMutate(store, owner, currency, mutateOperations, { removedNamesClash: false });
    const wrong = planned.flatMap((each) => ('fault' in each ? [each.fault] : []));
    // One bad operation undoes all of them, unless partial failure was asked for.
    if (wrong.length > 0 && !partialFailure) return errorResponse('INVALID_ARGUMENT', wrong, requestId);
    const headers = { 'request-id': requestId };
    if (validateOnly) return Response.json({}, { headers });
    return Response.json(
      {
        mutateOperationResponses: planned.map((each) => ('apply' in each ? each.apply() : {})),
        ...(wrong.length > 0 ? { partialFailureError: statusOf(3, wrong, requestId) } : {}),
      },
      { headers },
    );
  }

  function searchStream(owner: Owner, body: unknown, requestId: string, method: string): Response {
    const parsed = search.safeParse(body);
    if (!parsed.success || method !== 'googleAds:searchStream')
      return errorResponse(
        'NOT_FOUND',
        [{ errorCode: { requestError: 'RPC_DEADLINE_TOO_SHORT' }, message: `no method ${method}` }],
        requestId,
      );
    let query: GaqlQuery;
    try {
      query = parseGaql(parsed.data.query);
    } catch (error) {
      return errorResponse(
        'INVALID_ARGUMENT',
        [{ errorCode: { queryError: 'BAD_FIELD_NAME' }, message: String(error) }],
        requestId,
      );
    }
    const unknown = query.fields.find((field) => !isSelectable(field));
    if (unknown !== undefined)
      return errorResponse(
        'INVALID_ARGUMENT',
        [
          {
            errorCode: { queryError: 'UNRECOGNIZED_FIELD' },
            message: `Unrecognized field in the query: '${unknown}'.`,
          },
        ],
        requestId,
      );
    const rows = rowsOf(owner, query).filter((row) => matches(query, row));
    const results = rows.map((row) => project(query, row));
    const fieldMask = query.fields.join(',');
    const batches = Array.from({ length: Math.ceil(results.length / BATCH) }, (_, n) => ({
      results: results.slice(n * BATCH, (n + 1) * BATCH),
      fieldMask,
      requestId,
    }));
    return Response.json(batches, { headers: { 'request-id': requestId } });
  }

  function rowsOf(owner: Owner, query: GaqlQuery): GaqlRow[] {
    const { currency, timeZone } = accounts.of(owner);
    const now = Date.now();
    switch (query.resource) {
      case 'customer':
        return [{ 'customer.id': owner.account, 'customer.currency_code': currency, 'customer.time_zone': timeZone }];
      case 'campaign': {
        const rows = store.list(owner, 'campaign').map((each) => campaignRow(owner, each));
        return hasMetrics(query) ? rows.flatMap((row) => metricRows(row, query, now)) : rows;
      }
      case 'ad_group':
        return store.list(owner, 'ad_set').map((each) => ({
          ...settingsRow('ad_group', each),
          'ad_group.id': each.id,
          'ad_group.name': textOf(each, 'name'),
          'ad_group.status': statusOfState[textOf(each, 'status')],
          'campaign.id': textOf(each, 'parentId'),
        }));
      case 'ad_group_ad':
        return hasMetrics(query)
          ? adDays(store, owner, lastDays(now), now)
              .map(({ ad, date, figures }) => ({ ...adRow(owner, ad), ...metricsOf(date, figures) }))
              .filter((row) => matches(query, row))
          : store.list(owner, 'ad').map((each) => adRow(owner, each));
      case 'user_list':
        return store
          .list(owner, 'audience')
          .filter((each) => textOf(each, 'status') !== 'ENDED')
          .map((each) => ({ 'user_list.id': each.id, 'user_list.name': textOf(each, 'name') }));
      default:
        return [];
    }
  }

  /** An ad, with what its ad group says of itself. */
  function adRow(owner: Owner, ad: StoredObject): GaqlRow {
    const group = store.get(owner, textOf(ad, 'parentId'));
    return {
      ...settingsRow('ad_group_ad.ad', ad),
      'ad_group_ad.resource_name': `customers/${owner.account}/adGroupAds/${textOf(ad, 'parentId')}~${ad.id}`,
      'ad_group_ad.status': statusOfState[textOf(ad, 'status')],
      'ad_group_ad.ad.name': textOf(ad, 'name'),
      'ad_group_ad.ad.final_url_suffix': textOf(ad, 'urlSuffix'),
      'ad_group.id': group?.id,
      'ad_group.status': group && statusOfState[textOf(group, 'status')],
      'campaign.id': group && textOf(group, 'parentId'),
    };
  }

  function campaignRow(owner: Owner, each: StoredObject): GaqlRow {
    const digits = digitsOf(accounts.of(owner).currency);
    return {
      'campaign.id': each.id,
      'campaign.resource_name': `customers/${owner.account}/campaigns/${each.id}`,
      'campaign.name': textOf(each, 'name'),
      'campaign.status': statusOfState[textOf(each, 'status')],
      'campaign.campaign_budget': `customers/${owner.account}/campaignBudgets/${each.id}`,
      'campaign.start_date_time': textOf(each, 'startAt'),
      'campaign.end_date_time': textOf(each, 'endAt'),
      'campaign_budget.amount_micros': String(numberOf(each, 'dailyBudgetMinor') * 10 ** (6 - digits)),
    };
  }

  function metricRows(row: GaqlRow, query: GaqlQuery, now: number): GaqlRow[] {
    const { from, to } = lastDays(now);
    // Days that the query does not want are never made.
    return daysBetween(from, to, now)
      .map((date): GaqlRow => {
        const figures = figuresOf('google_ads', String(row['campaign.id']), date, now);
        return { ...row, ...metricsOf(date, figures) };
      })
      .filter((each) => matches(query, each));
  }

  return api;
}

const hasMetrics = ({ fields }: GaqlQuery): boolean => fields.some((field) => field.startsWith('metrics.'));

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
const lastDays = (nowMs: number) => ({ from: dayOf(nowMs - 89 * 86_400_000), to: dayOf(nowMs) });

const metricsOf = (date: string, figures: Figures): GaqlRow => ({
  'segments.date': date,
  'metrics.impressions': String(figures.impressions),
  'metrics.clicks': String(figures.clicks),
  'metrics.conversions': figures.conversions,
  'metrics.cost_micros': String(figures.spendMicros),
});
