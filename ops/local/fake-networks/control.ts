import { Hono } from 'hono';
import { z } from 'zod';
import { type Accounts, accountSettings } from './accounts.ts';
import { failure } from './failure.ts';
import { type ObjectStore, networks } from './object-store.ts';

const lag = z.strictObject({ network: z.enum(networks), account: z.string().optional(), ms: z.int().min(0) });

/** What a test sets before it looks: how far listings lag behind, what accounts are kept in. */
export function controlRoutes(store: ObjectStore, accounts: Accounts) {
  const routes = new Hono();
  routes.post('/lag', async (c) => {
    const parsed = lag.safeParse(await c.req.json().catch(() => undefined));
    if (!parsed.success) return c.json(failure('invalid_argument', z.prettifyError(parsed.error)), 400);
    store.setLag(parsed.data);
    return c.json(parsed.data, 201);
  });
  routes.post('/accounts', async (c) => {
    const parsed = accountSettings.safeParse(await c.req.json().catch(() => undefined));
    if (!parsed.success) return c.json(failure('invalid_argument', z.prettifyError(parsed.error)), 400);
    accounts.set(parsed.data);
    return c.json(parsed.data, 201);
  });
  return routes;
}
