import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { z } from 'zod';
import { adDays } from './ad-figures.ts';
import { type Figures, daysBetween, figuresOf } from './figures.ts';
import type { NetworkContext, Refusals } from './faults.ts';
import { metaError, noSuchObject, usageHeaders } from './meta-errors.ts';
import type { NetworkParts } from './network.ts';
import {
  type ObjectKind,
  type Owner,
  type StoredObject,
  lineageOf,
  numberOf,
  settingsChange,
  textOf,
} from './object-store.ts';

const PAGE = 25;
/** How long `effective_status` says something else than `status`. */
const REVIEW_MS = 1_000;

const status = z.enum(['ACTIVE', 'PAUSED', 'ARCHIVED', 'DELETED']);
const name = z.string().min(1).max(400);
/** Cents, or whole units where the currency has none. */
const budget = z.coerce.number().int().min(1);

const campaignCreation = z.looseObject({
  name,
  objective: z.string().startsWith('OUTCOME_'),
  status: status.default('ACTIVE'),
  special_ad_categories: z.array(z.string()),
  daily_budget: budget.optional(),
  start_time: z.string().optional(),
  stop_time: z.string().optional(),
});
const adSetCreation = z.looseObject({
  name,
  campaign_id: z.string(),
  status: status.default('ACTIVE'),
  targeting: z.looseObject({}),
  billing_event: z.string(),
  optimization_goal: z.string(),
});
const adCreation = z.looseObject({
  name,
  adset_id: z.string(),
  status: status.default('ACTIVE'),
  creative: z.looseObject({}),
});
const change = z.looseObject({
  name: name.optional(),
  status: status.optional(),
  daily_budget: budget.optional(),
  stop_time: z.string().optional(),
});

const hash = z.union([z.literal(''), z.string().regex(/^[0-9a-f]{64}$/)]);
const audienceCreation = z.looseObject({ name, subtype: z.literal('CUSTOM'), customer_file_source: z.string() });
const usersPayload = z.looseObject({
  payload: z.looseObject({ schema: z.array(z.string()), data: z.array(z.array(hash)).min(1).max(10_000) }),
});

const collections: Readonly<Record<string, ObjectKind>> = {
  campaigns: 'campaign',
  adsets: 'ad_set',
  ads: 'ad',
  customaudiences: 'audience',
};
const filterSchema = z.array(
  z.object({ field: z.string(), operator: z.string(), value: z.union([z.string(), z.array(z.string())]) }),
);

/** Meta's Graph API, version 26.0, mounted at `/meta`. */
export function metaRoutes({ store, accounts, faults }: NetworkParts) {
  const api = new Hono<{ Bindings: HttpBindings }>().basePath('/v26.0');

  const refusals: Refusals = {
    internal: () =>
      metaError({
        code: 2,
        message: 'An unexpected error has occurred. Please retry your request later.',
        transient: true,
        status: 500,
      }),
    rejected: () => metaError({ code: 100, subcode: 1885183, message: 'Invalid parameter', title: 'injected' }),
    limited: () => {
      const refused = metaError({
        code: 80004,
        subcode: 2446079,
        message: 'There have been too many calls to this ad-account.',
        transient: true,
      });
      for (const [header, value] of Object.entries(usageHeaders('act', 100))) refused.headers.set(header, value);
      return refused;
    },
    conflict: () =>
      metaError({ code: 2601, message: 'The object is being changed by another request.', transient: true }),
    tokenExpired: () =>
      metaError({
        code: 190,
        subcode: 463,
        message: 'Error validating access token: Session has expired.',
        status: 401,
      }),
  };
  const answered = (owner: Owner, body: unknown): Response =>
    Response.json(body, { headers: usageHeaders(`act_${owner.account}`, 3) });

  /** Ahead of every route: who calls, on which account, and what is to go wrong. */
  const call = async (
    c: NetworkContext,
    owner: Owner | undefined,
    answer: (owner: Owner) => Response | Promise<Response>,
  ): Promise<Response> => {
    const token = /^Bearer \S/.test(c.req.header('authorization') ?? '') || c.req.query('access_token') !== undefined;
    if (!token)
      return metaError({ code: 190, message: 'An access token is required to request this resource.', status: 401 });
    if (owner === undefined) return noSuchObject(c.req.path);
    return faults.around(c, { ...owner, write: c.req.method !== 'GET' }, refusals, () => answer(owner));
  };
  const ownerOf = (account: string): Owner => ({ network: 'meta', account });
  const parsed = async <T extends z.ZodType>(
    c: NetworkContext,
    schema: T,
  ): Promise<{ value: z.infer<T> } | { refused: Response }> => {
    const result = schema.safeParse(await c.req.json().catch(() => undefined));
    if (result.success) return { value: result.data };
    return {
      refused: metaError({ code: 100, message: `Invalid parameter: ${result.error.issues[0]?.path.join('.') ?? ''}` }),
    };
  };

  api.get('/:account{act_\\d+}', (c) =>
    call(c, ownerOf(c.req.param('account').slice(4)), (owner) => {
      const { currency, timeZone } = accounts.of(owner);
      return answered(owner, { id: `act_${owner.account}`, currency, timezone_name: timeZone });
    }),
  );

  api.post('/:account{act_\\d+}/campaigns', (c) =>
    call(c, ownerOf(c.req.param('account').slice(4)), async (owner) => {
      const body = await parsed(c, campaignCreation);
      if ('refused' in body) return body.refused;
      const { value } = body;
      const { currency } = accounts.of(owner);
      const made = store.create(owner, 'campaign', {
        name: value.name,
        status: stateOf[value.status],
        ...(value.daily_budget === undefined ? {} : { dailyBudgetMinor: value.daily_budget }),
        currency,
        startAt: value.start_time,
        endAt: value.stop_time,
      });
      return answered(owner, { id: made.id });
    }),
  );
  api.post('/:account{act_\\d+}/adsets', (c) =>
    call(c, ownerOf(c.req.param('account').slice(4)), async (owner) => {
      const body = await parsed(c, adSetCreation);
      if ('refused' in body) return body.refused;
      const { campaign_id: parentId, name: called, status: state, ...settings } = body.value;
      if (store.get(owner, parentId) === undefined) return noSuchObject(parentId);
      const made = store.create(owner, 'ad_set', { name: called, status: stateOf[state], parentId, settings });
      return answered(owner, { id: made.id });
    }),
  );
  api.post('/:account{act_\\d+}/ads', (c) =>
    call(c, ownerOf(c.req.param('account').slice(4)), async (owner) => {
      const body = await parsed(c, adCreation);
      if ('refused' in body) return body.refused;
      const { adset_id: parentId, name: called, status: state, ...settings } = body.value;
      if (store.get(owner, parentId) === undefined) return noSuchObject(parentId);
      const made = store.create(owner, 'ad', { name: called, status: stateOf[state], parentId, settings });
      return answered(owner, { id: made.id });
    }),
  );

  api.get('/:account{act_\\d+}/:collection{campaigns|adsets|ads|customaudiences}', (c) =>
    call(c, ownerOf(c.req.param('account').slice(4)), (owner) => {
      const filtering = filterSchema.safeParse(JSON.parse(c.req.query('filtering') ?? '[]'));
      if (!filtering.success) return metaError({ code: 100, message: 'Invalid parameter: filtering' });
      const limit = Math.min(500, Number(c.req.query('limit') ?? PAGE));
      const after = Number(c.req.query('after') ?? 0);
      const found = store
        .list(owner, collections[c.req.param('collection')] ?? 'campaign')
        // Archived ones are shown only to whoever asks for them.
        .filter(
          (each) =>
            lineageOf(store, each).every((of) => textOf(of, 'status') !== 'ENDED') ||
            filtering.data.some(({ field }) => field === 'effective_status'),
        )
        .filter((each) => filtering.data.every((filter) => passes(lineageOf(store, each), filter)));
      const fields = (c.req.query('fields') ?? 'id').split(',');
      const unknown = fields.find((field) => !knownFields.has(field));
      if (unknown !== undefined)
        return metaError({ code: 100, message: `Tried accessing nonexisting field (${unknown})` });
      const data = found.slice(after, after + limit).map((each) => ({ ...settingsOf(each, fields), ...show(each) }));
      const next =
        after + limit < found.length
          ? { cursors: { before: String(after), after: String(after + limit) }, next: 'more' }
          : undefined;
      return answered(owner, { data, ...(next === undefined ? {} : { paging: next }) });
    }),
  );

  api.get('/:account{act_\\d+}/insights', (c) =>
    call(c, ownerOf(c.req.param('account').slice(4)), (owner) => {
      const range = z
        .object({ since: z.iso.date(), until: z.iso.date() })
        .safeParse(JSON.parse(c.req.query('time_range') ?? 'null'));
      if (!range.success) return metaError({ code: 100, message: 'Invalid parameter: time_range' });
      const level = z.enum(['campaign', 'ad']).safeParse(c.req.query('level'));
      if (!level.success) return metaError({ code: 100, message: 'Invalid parameter: level' });
      const filtering = filterSchema.safeParse(JSON.parse(c.req.query('filtering') ?? '[]'));
      if (!filtering.success) return metaError({ code: 100, message: 'Invalid parameter: filtering' });
      const now = Date.now();
      const { since: from, until: to } = range.data;
      const insight = (of: object, date: string, figures: Figures) => ({
        ...of,
        date_start: date,
        date_stop: date,
        impressions: String(figures.impressions),
        clicks: String(figures.clicks),
        spend: (figures.spendMicros / 1e6).toFixed(6),
        account_currency: accounts.of(owner).currency,
        actions: [{ action_type: 'omni_purchase', value: String(figures.conversions) }],
      });
      const isWanted = (object: StoredObject) =>
        filtering.data.every((filter) => passes(lineageOf(store, object), filter));
      const rows =
        level.data === 'ad'
          ? adDays(store, owner, { from, to }, now)
              .filter(({ ad }) => isWanted(ad))
              .map(({ ad, campaignId, date, figures }) =>
                insight({ ad_id: ad.id, campaign_id: campaignId }, date, figures),
              )
          : store
              .list(owner, 'campaign')
              .filter(isWanted)
              .flatMap(({ id }) =>
                daysBetween(from, to, now).map((date) =>
                  insight({ campaign_id: id }, date, figuresOf('meta', id, date, now)),
                ),
              );
      const limit = Math.min(500, Number(c.req.query('limit') ?? PAGE));
      const after = Number(c.req.query('after') ?? 0);
      const more = after + limit < rows.length;
      return answered(owner, {
        data: rows.slice(after, after + limit),
        ...(more ? { paging: { cursors: { before: String(after), after: String(after + limit) }, next: 'more' } } : {}),
      });
    }),
  );

  api.post('/:account{act_\\d+}/customaudiences', (c) =>
    call(c, ownerOf(c.req.param('account').slice(4)), async (owner) => {
      const body = await parsed(c, audienceCreation);
      if ('refused' in body) return body.refused;
      const made = store.create(owner, 'audience', { name: body.value.name, status: 'ACTIVE' });
      return answered(owner, { id: made.id });
    }),
  );
  const changeUsers = (c: NetworkContext, id: string, op: 'add' | 'remove') => {
    const found = store.find('meta', id);
    return call(c, found, async (owner) => {
      const body = await parsed(c, usersPayload);
      if ('refused' in body) return body.refused;
      if (found?.kind !== 'audience') return noSuchObject(id);
      const { data } = body.value.payload;
      store.create(owner, 'audience_members', { audienceId: id, [op]: data.flat().filter((hash) => hash !== '') });
      return answered(owner, { audience_id: id, num_received: data.length, num_invalid_entries: 0 });
    });
  };
  api.post('/:id{\\d+}/users', (c) => changeUsers(c, c.req.param('id'), 'add'));
  api.delete('/:id{\\d+}/users', (c) => changeUsers(c, c.req.param('id'), 'remove'));

  api.get('/:id{\\d+}', (c) => {
    const found = store.find('meta', c.req.param('id'));
    return call(c, found, (owner) =>
      found === undefined ? noSuchObject(c.req.param('id')) : answered(owner, show(found)),
    );
  });
  api.post('/:id{\\d+}', (c) => {
    const found = store.find('meta', c.req.param('id'));
    return call(c, found, async (owner) => {
      const body = await parsed(c, change);
      if ('refused' in body) return body.refused;
      const { name: called, status: state, daily_budget: minor, stop_time: endAt, ...rest } = body.value;
      if (found === undefined) return noSuchObject(c.req.param('id'));
      if (textOf(found, 'status') === 'ENDED' && state !== 'ARCHIVED' && state !== 'DELETED')
        return metaError({ code: 100, subcode: 1487056, message: 'The object was archived or deleted.' });
      store.update(owner, found.id, {
        ...(called === undefined ? {} : { name: called }),
        ...(state === undefined ? {} : { status: stateOf[state] }),
        ...(minor === undefined ? {} : { dailyBudgetMinor: minor }),
        ...(endAt === undefined ? {} : { endAt }),
        ...settingsChange(found, rest),
      });
      return answered(owner, { success: true });
    });
  });
  api.delete('/:id{\\d+}', (c) => {
    const found = store.find('meta', c.req.param('id'));
    return call(c, found, (owner) => {
      if (found !== undefined) store.update(owner, found.id, { status: 'ENDED' });
      return answered(owner, { success: true });
    });
  });

  /** Numbers as strings, and the effective status behind the status for a while. */
  function show(each: StoredObject): Record<string, unknown> {
    const held = shownStatus[textOf(each, 'status')] ?? 'ACTIVE';
    const settled = Date.now() - each.updatedAtMs > REVIEW_MS;
    return {
      id: each.id,
      name: textOf(each, 'name'),
      status: held,
      effective_status: settled ? held : 'IN_PROCESS',
      ...(each.kind === 'campaign' && each.fields['dailyBudgetMinor'] !== undefined
        ? { daily_budget: String(numberOf(each, 'dailyBudgetMinor')) }
        : {}),
      ...(textOf(each, 'startAt') === '' ? {} : { start_time: textOf(each, 'startAt') }),
      ...(textOf(each, 'endAt') === '' ? {} : { stop_time: textOf(each, 'endAt') }),
      ...(each.kind === 'ad_set' ? { campaign_id: textOf(each, 'parentId') } : {}),
      ...(each.kind === 'ad' ? { adset_id: textOf(each, 'parentId') } : {}),
      created_time: new Date(each.createdAtMs).toISOString(),
    };
  }

  return api;
}

/** What may be asked for of campaigns, ad sets and ads. */
const knownFields = new Set([
  ...['id', 'name', 'status', 'effective_status', 'daily_budget', 'campaign_id', 'adset_id', 'start_time', 'stop_time'],
  ...['targeting', 'billing_event', 'optimization_goal', 'bid_amount', 'bid_strategy', 'bid_constraints', 'creative'],
  ...['lifetime_budget', 'attribution_spec', 'promoted_object', 'destination_type', 'pacing_type', 'end_time'],
  ...['frequency_control_specs', 'daily_min_spend_target', 'daily_spend_cap', 'dsa_beneficiary', 'dsa_payor'],
  ...['conversion_domain'],
]);
const amounts = ['daily_budget', 'lifetime_budget', 'daily_min_spend_target', 'daily_spend_cap'];

/** Settings as they are read: amounts as text, a creative by its id, and more about targeting than was said. */
function settingsOf({ id, fields }: StoredObject, asked: readonly string[]): Record<string, unknown> {
  const held = z.record(z.string(), z.unknown()).catch({}).parse(fields['settings']);
  const creative = z.looseObject({ creative_id: z.string().default(`9${id}`) });
  const shown = Object.entries(held).flatMap(([name, value]): [string, unknown][] => {
    if (!asked.includes(name)) return [];
    if (name === 'creative') return [[name, { id: creative.parse(value).creative_id }]];
    if (name === 'targeting') return [[name, { ...Object(value), targeting_automation: { advantage_audience: 0 } }]];
    return [[name, amounts.includes(name) ? String(value) : value]];
  });
  return Object.fromEntries(shown);
}

/** `lineage` begins with the object itself. */
function passes(lineage: readonly StoredObject[], filter: z.infer<typeof filterSchema>[number]): boolean {
  const { field, operator, value } = filter;
  const [each] = lineage;
  if (each === undefined) return false;
  const heldIn: Readonly<Record<string, string>> = {
    effective_status: shownStatus[textOf(each, 'status')] ?? '',
    'campaign.id': lineage.find(({ kind }) => kind === 'campaign')?.id ?? '',
  };
  const held = heldIn[field] ?? textOf(each, field.replace('campaign.', ''));
  if (operator === 'CONTAIN') return held.includes(String(value));
  if (operator === 'IN') return value.includes(held);
  return held === value;
}

const stateOf = { ACTIVE: 'ACTIVE', PAUSED: 'PAUSED', ARCHIVED: 'ENDED', DELETED: 'ENDED' } as const;
const shownStatus: Readonly<Record<string, string>> = { ACTIVE: 'ACTIVE', PAUSED: 'PAUSED', ENDED: 'ARCHIVED' };
