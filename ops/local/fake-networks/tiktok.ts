import { createHash, randomUUID } from 'node:crypto';
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { z } from 'zod';
import { digitsOf } from './accounts.ts';
import { adDays } from './ad-figures.ts';
import { daysBetween, figuresOf } from './figures.ts';
import type { Refusals } from './faults.ts';
import type { NetworkParts } from './network.ts';
import { addTiktokAds } from './tiktok-ads.ts';
import { type TiktokCall, answer, ok, operationOf, page, pageOf } from './tiktok-answers.ts';
import { type Owner, type StoredObject, lineageOf, numberOf, textOf } from './object-store.ts';

/** For this long a `request_id` is remembered: the same call again then gives the first one's answer. */
const REQUEST_MEMORY_MS = 10_000;
/** An audience of fewer is refused. */
const LEAST_MEMBERS = 1_000;

const name = z.string().min(1).max(512);
const operation = z.enum(['ENABLE', 'DISABLE', 'DELETE']);
const budgetMode = z.enum(['BUDGET_MODE_DAY', 'BUDGET_MODE_TOTAL', 'BUDGET_MODE_INFINITE']);
const campaignCreation = z.looseObject({
  advertiser_id: z.string().regex(/^\d+$/),
  campaign_name: name,
  objective_type: z.string(),
  budget_mode: budgetMode,
  budget: z.number().positive(),
  operation_status: z.enum(['ENABLE', 'DISABLE']).default('ENABLE'),
  request_id: z
    .string()
    .regex(/^\d{1,19}$/)
    .optional(),
});
const campaignChange = z.looseObject({
  advertiser_id: z.string(),
  campaign_id: z.string(),
  campaign_name: name.optional(),
  budget: z.number().positive().optional(),
});
const statusChange = z.looseObject({ advertiser_id: z.string(), operation_status: operation });
/** TikTok's Business API, version 1.3, mounted at `/tiktok`. Paths end in a slash; without it there is nothing. */
export function tiktokRoutes({ store, accounts, faults }: NetworkParts) {
  const api = new Hono<{ Bindings: HttpBindings }>({ strict: true }).basePath('/open_api/v1.3');
  const remembered = new Map<string, { until: number; id: string }>();

  const refusals: Refusals = {
    internal: () => answer(50_000, 'System error.'),
    rejected: () => answer(40_002, 'budget: the minimum budget is 50.'),
    limited: () => answer(40_133, 'Too many requests. Please try again later.'),
    conflict: () => answer(40_202, 'The object is being modified. Please try again.'),
    tokenExpired: () => answer(40_105, 'Access token is incorrect or has been revoked.'),
  };

  const call: TiktokCall = async (c, schema, work) => {
    if ((c.req.header('access-token') ?? '') === '') return answer(40_104, 'Access token is missing.');
    const write = c.req.method !== 'GET';
    const given: unknown = write ? await c.req.json().catch(() => undefined) : c.req.query();
    const parsed = schema.safeParse(given);
    const account = z.looseObject({ advertiser_id: z.string() }).safeParse(given).data?.advertiser_id ?? '';
    const owner: Owner = { network: 'tiktok', account };
    return faults.around(c, { ...owner, write }, refusals, () => {
      if (!parsed.success) return answer(40_002, z.prettifyError(parsed.error));
      return work(owner, parsed.data);
    });
  };

  /** Creates once for each request id that is still remembered. */
  const once = (owner: Owner, requestId: string | undefined, create: () => StoredObject): StoredObject => {
    const now = Date.now();
    for (const [key, { until }] of remembered) if (until < now) remembered.delete(key);
    const key = `${owner.account}/${requestId}`;
    const earlier = requestId === undefined ? undefined : store.get(owner, remembered.get(key)?.id ?? '');
    if (earlier !== undefined) return earlier;
    const made = create();
    if (requestId !== undefined) remembered.set(key, { until: now + REQUEST_MEMORY_MS, id: made.id });
    return made;
  };
  const digits = (owner: Owner): number => 10 ** digitsOf(accounts.of(owner).currency);

  api.get('/advertiser/info/', (c) =>
    call(c, z.looseObject({ advertiser_ids: z.string() }), (_, { advertiser_ids: asked }) => {
      const ids = z.array(z.string()).parse(JSON.parse(asked));
      const list = ids.map((id) => {
        const { currency, timeZone } = accounts.of({ network: 'tiktok', account: id });
        return { advertiser_id: id, currency, timezone: timeZone };
      });
      return ok({ list });
    }),
  );

  api.post('/campaign/create/', (c) =>
    call(c, campaignCreation, (owner, wanted) => {
      const same = store
        .list(owner, 'campaign')
        .some((each) => textOf(each, 'name') === wanted.campaign_name && textOf(each, 'status') !== 'ENDED');
      if (same && wanted.request_id === undefined) return answer(40_002, 'Campaign name already exists.');
      const made = once(owner, wanted.request_id, () =>
        store.create(owner, 'campaign', {
          name: wanted.campaign_name,
          status: wanted.operation_status === 'ENABLE' ? 'ACTIVE' : 'PAUSED',
          dailyBudgetMinor: Math.round(wanted.budget * digits(owner)),
          currency: accounts.of(owner).currency,
        }),
      );
      return ok({ ...show(owner, made) });
    }),
  );
  api.post('/campaign/update/', (c) =>
    call(c, campaignChange, (owner, wanted) => {
      const found = store.get(owner, wanted.campaign_id);
      if (found === undefined) return answer(40_002, 'campaign_id: does not exist.');
      if (textOf(found, 'status') === 'ENDED') return answer(40_002, 'The campaign has been deleted.');
      store.update(owner, found.id, {
        ...(wanted.campaign_name === undefined ? {} : { name: wanted.campaign_name }),
        ...(wanted.budget === undefined ? {} : { dailyBudgetMinor: Math.round(wanted.budget * digits(owner)) }),
      });
      return ok({ campaign_id: found.id });
    }),
  );
  api.post('/:collection{campaign|adgroup|ad}/status/update/', (c) => {
    const field = `${c.req.param('collection')}_ids`;
    const ids = z.looseObject({ [field]: z.array(z.string()).min(1).max(20) });
    return call(c, statusChange.and(ids), (owner, wanted) => {
      const asked = z.array(z.string()).parse(wanted[field]);
      const known = asked.flatMap((id) => store.get(owner, id) ?? []);
      if (known.length < asked.length) return answer(40_002, `${field}: does not exist.`);
      const isDeleted = (each: StoredObject) => lineageOf(store, each).some((of) => textOf(of, 'status') === 'ENDED');
      if (known.some(isDeleted)) return answer(40_002, 'The status of what has been deleted cannot be modified.');
      for (const each of known) store.update(owner, each.id, { status: stateOf[wanted.operation_status] });
      return ok({ [field]: asked, status: wanted.operation_status });
    });
  });
  const campaignFilter = z.looseObject({
    campaign_ids: z.array(z.string()).optional(),
    campaign_name: z.string().optional(),
    primary_status: z.string().optional(),
  });

  api.get('/campaign/get/', (c) =>
    call(c, page, (owner, { filtering = '{}', page: at, page_size: size }) => {
      const filter = campaignFilter.parse(JSON.parse(filtering));
      const found = store.list(owner, 'campaign').filter(
        (each) =>
          (filter.campaign_ids === undefined || filter.campaign_ids.includes(each.id)) &&
          (filter.campaign_name === undefined || textOf(each, 'name').includes(filter.campaign_name)) &&
          // Deleted campaigns are shown only to whoever asks for all.
          (filter.primary_status === 'STATUS_ALL' || textOf(each, 'status') !== 'ENDED'),
      );
      return ok(
        pageOf(
          found.map((each) => show(owner, each)),
          at,
          size,
        ),
      );
    }),
  );
  addTiktokAds(api, { store, call, once });

  /** The value is JSON in JSON. */
  const reportFilters = z.array(
    z.looseObject({
      field_name: z.literal('campaign_ids'),
      filter_type: z.literal('IN'),
      filter_value: z
        .string()
        .transform((text): unknown => JSON.parse(text))
        .pipe(z.array(z.string()).min(1).max(100)),
    }),
  );
  const report = z.looseObject({
    start_date: z.iso.date(),
    end_date: z.iso.date(),
    data_level: z.enum(['AUCTION_CAMPAIGN', 'AUCTION_AD']),
    dimensions: z.string(),
    filtering: z.string().default('[]'),
    page: z.coerce.number().int().default(1),
    page_size: z.coerce.number().int().max(1_000).default(10),
  });
  api.get('/report/integrated/get/', (c) =>
    call(c, report, (owner, { start_date: from, end_date: to, page: at, page_size: size, ...asked }) => {
      const days = (Date.parse(to) - Date.parse(from)) / 86_400_000;
      if (days > 29) return answer(40_002, 'The time span must not exceed 30 days.');
      const isOfAds = asked.data_level === 'AUCTION_AD';
      const id = isOfAds ? 'ad_id' : 'campaign_id';
      if (asked.dimensions !== JSON.stringify([id, 'stat_time_day']))
        return answer(40_002, 'dimensions: do not fit data_level.');
      const filters = reportFilters.safeParse(JSON.parse(asked.filtering));
      if (!filters.success) return answer(40_002, z.prettifyError(filters.error));
      const wanted = filters.data[0]?.filter_value;
      const now = Date.now();
      const rows = (
        isOfAds
          ? adDays(store, owner, { from, to }, now).map(({ ad, ...day }) => ({ ...day, objectId: ad.id }))
          : store.list(owner, 'campaign').flatMap(({ id: campaignId }) =>
              daysBetween(from, to, now).map((date) => {
                const figures = figuresOf('tiktok', campaignId, date, now);
                return { objectId: campaignId, campaignId, date, figures };
              }),
            )
      )
        .filter(({ campaignId }) => wanted?.includes(campaignId) !== false)
        .map(({ objectId, date, figures }) => ({
          dimensions: { [id]: objectId, stat_time_day: `${date} 00:00:00` },
          metrics: {
            impressions: String(figures.impressions),
            clicks: String(figures.clicks),
            conversion: String(figures.conversions),
            spend: (figures.spendMicros / 1e6).toFixed(6),
          },
        }));
      return ok(pageOf(rows, at, size));
    }),
  );

  const files = new Map<string, string[]>();
  api.post('/dmp/custom_audience/file/upload/', async (c) => {
    const form = await c.req.parseBody().catch(() => undefined);
    const owner: Owner = { network: 'tiktok', account: z.string().catch('').parse(form?.['advertiser_id']) };
    if ((c.req.header('access-token') ?? '') === '') return answer(40_104, 'Access token is missing.');
    return faults.around(c, { ...owner, write: true }, refusals, async () => {
      const file = form?.['file'];
      if (!(file instanceof File)) return answer(40_007, 'file: missing.');
      const text = await file.text();
      if (createHash('md5').update(text).digest('hex') !== form?.['file_signature'])
        return answer(40_002, 'file_signature: does not match.');
      const lines = text.split('\n').filter((line) => line !== '');
      if (lines.some((line) => !/^[0-9a-f]{64}$/.test(line))) return answer(40_002, 'file: not SHA-256.');
      const path = `files/${randomUUID()}`;
      files.set(path, lines);
      return ok({ file_path: path, calculate_type: form['calculate_type'] });
    });
  });
  const paths = z.array(z.string()).min(1);
  const membersOf = (file_paths: readonly string[]): string[] => file_paths.flatMap((path) => files.get(path) ?? []);
  const audienceCreation = z.looseObject({ advertiser_id: z.string(), custom_audience_name: name, file_paths: paths });
  api.post('/dmp/custom_audience/create/', (c) =>
    call(c, audienceCreation, (owner, wanted) => {
      const members = membersOf(wanted.file_paths);
      if (members.length < LEAST_MEMBERS) return answer(40_002, 'The audience has too few members.');
      const made = store.create(owner, 'audience', { name: wanted.custom_audience_name, status: 'ACTIVE' });
      store.create(owner, 'audience_members', { audienceId: made.id, add: members });
      return ok({ custom_audience_id: made.id });
    }),
  );
  const audienceUpdate = z.looseObject({
    advertiser_id: z.string(),
    custom_audience_id: z.string(),
    file_paths: paths,
    action: z.enum(['APPEND', 'REMOVE', 'REPLACE']).default('REPLACE'),
  });
  api.post('/dmp/custom_audience/update/', (c) =>
    call(c, audienceUpdate, (owner, { custom_audience_id: audienceId, file_paths: given, action }) => {
      if (store.get(owner, audienceId)?.kind !== 'audience')
        return answer(40_002, 'custom_audience_id: does not exist.');
      const op = { APPEND: 'add', REMOVE: 'remove', REPLACE: 'replace' }[action];
      store.create(owner, 'audience_members', { audienceId, [op]: membersOf(given) });
      return ok({});
    }),
  );
  const audienceDeletion = z.looseObject({ advertiser_id: z.string(), custom_audience_ids: paths });
  api.post('/dmp/custom_audience/delete/', (c) =>
    call(c, audienceDeletion, (owner, { custom_audience_ids: ids }) => {
      for (const id of ids) store.update(owner, id, { status: 'ENDED' });
      return ok({});
    }),
  );
  api.get('/dmp/custom_audience/list/', (c) =>
    call(c, page, (owner, { page: at, page_size: size }) => {
      const found = store.list(owner, 'audience').filter((each) => textOf(each, 'status') !== 'ENDED');
      return ok(
        pageOf(
          found.map((each) => ({ audience_id: each.id, name: textOf(each, 'name') })),
          at,
          size,
        ),
      );
    }),
  );

  function show(owner: Owner, each: StoredObject): Record<string, unknown> {
    return {
      advertiser_id: owner.account,
      campaign_id: each.id,
      campaign_name: textOf(each, 'name'),
      operation_status: operationOf[textOf(each, 'status')],
      secondary_status: textOf(each, 'status') === 'ENDED' ? 'CAMPAIGN_STATUS_DELETE' : 'CAMPAIGN_STATUS_ENABLE',
      budget_mode: 'BUDGET_MODE_DAY',
      budget: numberOf(each, 'dailyBudgetMinor') / digits(owner),
    };
  }

  return api;
}

const stateOf = { ENABLE: 'ACTIVE', DISABLE: 'PAUSED', DELETE: 'ENDED' } as const;
