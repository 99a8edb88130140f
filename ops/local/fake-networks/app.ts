import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { openCampaignStore } from './campaign-store.ts';
import { campaignRoutes, failure } from './campaigns.ts';
import { createFaults } from './faults.ts';
import { mailboxRoutes } from './mailbox.ts';

/** Everything that stands for the world outside: ad networks, their control, the log of accepted calls, a mailbox. */
export function createApp(dir: string) {
  const store = openCampaignStore(dir);
  const faults = createFaults();
  const app = new Hono<{ Bindings: HttpBindings }>();

  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.get('/_log', (c) => {
    const after = Number(c.req.query('after') ?? 0);
    const calls = store.calls.filter(({ n }) => n > after);
    return c.json({ calls, last: store.calls.at(-1)?.n ?? 0 });
  });
  app.route('/_control/faults', faults.routes);
  app.route('/', mailboxRoutes(dir));
  app.use('/:network/v1/*', faults.middleware);
  app.route('/', campaignRoutes(store));

  app.notFound((c) => c.json(failure('not_found', `nothing at ${c.req.method} ${c.req.path}`), 404));
  app.onError((error, c) => {
    console.error(error);
    return c.json(failure('internal', 'unexpected'), 500);
  });
  return app;
}
