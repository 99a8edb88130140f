import { Hono } from 'hono';
import { z } from 'zod';
import { openFeedStore } from './feed-store.ts';
import { googleMerchantRoutes } from './google-merchant.ts';
import { metaCatalogRoutes } from './meta-catalog.ts';

const control = z.strictObject({
  account: z.string(),
  showAfterMs: z.int().min(0).optional(),
  refuseNext: z.int().min(0).optional(),
});

/** The networks' catalogs, their control and the log of the calls they took. */
export function productFeedRoutes(dir: string): Hono {
  const store = openFeedStore(dir);
  const app = new Hono();
  app.get('/_feeds/log', (c) => {
    const account = c.req.query('account');
    return c.json({ calls: store.calls.filter((call) => account === undefined || call.account === account) });
  });
  app.post('/_feeds/control', async (c) => {
    const parsed = control.safeParse(await c.req.json().catch(() => undefined));
    if (!parsed.success) return c.json({ error: z.prettifyError(parsed.error) }, 400);
    const { account, ...changed } = parsed.data;
    return c.json(Object.assign(store.mood(account), changed));
  });
  app.route('/', googleMerchantRoutes(store));
  app.route('/', metaCatalogRoutes(store));
  return app;
}
