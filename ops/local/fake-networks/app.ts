import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { corePlatformRoutes } from './core-platform.ts';
import { createAccounts } from './accounts.ts';
import { controlRoutes } from './control.ts';
import { failure } from './failure.ts';
import { createFaults } from './faults.ts';
import { googleAdsRoutes } from './google-ads.ts';
import { mailboxRoutes } from './mailbox.ts';
import { createMessageFaults } from './message-faults.ts';
import { metaRoutes } from './meta.ts';
import { openObjectStore } from './object-store.ts';
import { paymentRoutes } from './payments.ts';
import { productFeedRoutes } from './product-feeds.ts';
import { thirdPartyAppRoutes } from './third-party-apps.ts';
import { tiktokRoutes } from './tiktok.ts';

/** Everything that stands for the world outside: ad networks, their control, the log of accepted calls, a mailbox. */
export function createApp(dir: string) {
  const store = openObjectStore(dir);
  const parts = { store, accounts: createAccounts(), faults: createFaults() };
  const messageFaults = createMessageFaults();
  const app = new Hono<{ Bindings: HttpBindings }>();

  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.get('/_log', (c) => {
    const after = Number(c.req.query('after') ?? 0);
    const calls = store.calls.filter(({ n }) => n > after);
    return c.json({ calls, last: store.calls.at(-1)?.n ?? 0 });
  });
  app.route('/_control/faults', parts.faults.routes);
  app.route('/_control/message-faults', messageFaults.routes);
  app.route('/_control', controlRoutes(store, parts.accounts));
  app.route('/', mailboxRoutes(dir, messageFaults));
  app.route('/', paymentRoutes(dir, messageFaults));
  app.route('/', productFeedRoutes(dir));
  app.route('/', thirdPartyAppRoutes(dir));
  app.route('/', corePlatformRoutes(dir));
  app.route('/google_ads', googleAdsRoutes(parts));
  app.route('/meta', metaRoutes(parts));
  app.route('/tiktok', tiktokRoutes(parts));

  app.notFound((c) => c.json(failure('not_found', `nothing at ${c.req.method} ${c.req.path}`), 404));
  app.onError((error, c) => {
    console.error(error);
    return c.json(failure('internal', 'unexpected'), 500);
  });
  return app;
}
