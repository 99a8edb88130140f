import { Hono, type Context } from 'hono';
import type { z } from 'zod';
import { type CampaignStore, change, creation, type Network, networks } from './campaign-store.ts';
import { networkMetrics } from './metrics.ts';

/** The networks' API, mounted at `/`: one simple shape for all of them, under `/{network}/v1/accounts/{account}`. */
export function campaignRoutes(store: CampaignStore) {
  const api = new Hono().basePath(`/:network{${networks.join('|')}}/v1/accounts/:account`);

  api.use('*', async (c, next) => {
    if (!/^Bearer \S/.test(c.req.header('authorization') ?? '')) {
      return c.json(failure('unauthenticated', 'a bearer token is needed'), 401);
    }
    return next();
  });

  api.post('/campaigns', async (c) => {
    const body = await readBody(c, creation);
    if (!body.ok) return c.json(failure('invalid_argument', body.reason), 400);
    return c.json(store.create(owner(c), body.value), 201);
  });

  api.patch('/campaigns/:id', async (c) => {
    const body = await readBody(c, change);
    if (!body.ok) return c.json(failure('invalid_argument', body.reason), 400);
    const campaign = store.update(owner(c), c.req.param('id'), body.value);
    return campaign === undefined ? c.json(notFound, 404) : c.json(campaign);
  });

  api.get('/campaigns', (c) => c.json({ campaigns: store.list(owner(c), c.req.query('tag')) }));

  api.get('/campaigns/:id', (c) => {
    const campaign = store.get(owner(c), c.req.param('id'));
    return campaign === undefined ? c.json(notFound, 404) : c.json(campaign);
  });

  api.get('/campaigns/:id/metrics', (c) => {
    const date = c.req.query('date') ?? '';
    if (!/^\d{4}-\d{2}-\d{2}$/.test(date) || Number.isNaN(Date.parse(date))) {
      return c.json(failure('invalid_argument', 'date must be YYYY-MM-DD'), 400);
    }
    const campaign = store.get(owner(c), c.req.param('id'));
    if (campaign === undefined) return c.json(notFound, 404);
    return c.json(networkMetrics(owner(c).network, campaign.id, date, campaign.currency));
  });

  return api;
}

export function failure(code: string, message: string) {
  return { error: { code, message } };
}

const notFound = failure('not_found', 'this account has no such campaign');

function owner(c: Context): { network: Network; account: string } {
  const network = networks.find((known) => known === c.req.param('network'));
  const account = c.req.param('account');
  if (network === undefined || account === undefined) throw new Error('this route has no network or account');
  return { network, account };
}

async function readBody<T>(
  c: Context,
  schema: z.ZodType<T>,
): Promise<{ ok: true; value: T } | { ok: false; reason: string }> {
  let json: unknown;
  try {
    json = await c.req.json();
  } catch {
    return { ok: false, reason: 'the body is not JSON' };
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return { ok: true, value: parsed.data };
  const issue = parsed.error.issues[0];
  return { ok: false, reason: issue === undefined ? 'invalid' : `${issue.path.join('.') || 'body'}: ${issue.message}` };
}
