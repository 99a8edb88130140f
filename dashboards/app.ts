import type { SQSClient } from '@aws-sdk/client-sqs';
import { type Context, Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { secureHeaders } from 'hono/secure-headers';
import type { Redis } from 'ioredis';
import type { Kysely } from 'kysely';
import type { Database } from '../core/database/tables.ts';
import { id as idSchema } from '../core/events/envelope.ts';
import type { Registry } from '../core/events/registry.ts';
import { topologyOf } from '../core/events/topology.ts';
import type { Clock } from '../core/runtime/clock.ts';
import type { LifecycleState } from '../core/runtime/lifecycle.ts';
import type { Log } from '../core/runtime/log.ts';
import { assetRoutes } from './assets.ts';
import { BOARD_PATH, createBoard } from './bull-board.ts';
import { healthRoutes } from './health.ts';
import { type Login, requireLogin } from './login.ts';
import { loadMerchant } from './merchant.ts';
import { loadOverview } from './overview.ts';
import { deadLettersPage } from './pages/dead-letters.ts';
import { merchantPage } from './pages/merchant.ts';
import { messagePage } from './pages/message.ts';
import { overviewPage } from './pages/overview.ts';
import { searchPage } from './pages/search.ts';
import { createPanelLoader } from './panels.ts';
import { createQueueDepths } from './queue-depths.ts';
import { findEvents, merchantExists } from './reads/search.ts';
import { readDeadLetters } from './reads/settlements.ts';
import { remember } from './remember.ts';

export interface ConsoleDependencies {
  /** Reads only; its statement timeout bounds every panel. */
  db: Kysely<Database>;
  redis: Redis;
  sqs: SQSClient;
  registry: Registry;
  stack: string;
  /** Partitions of the activations and effects queues. */
  partitions: number;
  /** Allows retrying activations in Bull Board. */
  boardWritable: boolean;
  login: Login;
  clock: Clock;
  log: Log;
  state: () => LifecycleState;
  /** The remote address of a request, by which failed logins are counted. */
  addressOf: (context: Context) => string;
}

const OVERVIEW_MAX_AGE_MS = 2_000;
const DEAD_LETTERS = 200;
const FOUND = 100;

/** The operators' console. Starts nothing; its reads run only when a page is asked for. */
export function createConsole(dependencies: ConsoleDependencies): Hono {
  const { db, registry, clock, log, login } = dependencies;
  const loadPanel = createPanelLoader(log);
  const queueDepths = createQueueDepths(dependencies.sqs, topologyOf(registry, dependencies.stack), clock);
  // Shared by all who look at the same moment.
  const overview = remember(clock, OVERVIEW_MAX_AGE_MS, () =>
    loadOverview({ db, loadPanel, queueDepths }, clock.now()),
  );
  const now = () => new Date(clock.now());
  const notFound = (text: string) => messagePage(now(), 'Not found', text);

  const app = new Hono();
  app.use(
    secureHeaders({
      xFrameOptions: 'DENY',
      contentSecurityPolicy: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        // Bull Board sets styles on its elements.
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        fontSrc: ["'self'"],
        connectSrc: ["'self'"],
        baseUri: ["'self'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    }),
  );
  app.use(async (context, next) => {
    await next();
    // Bull Board's own files carry a hash in their name and show nothing of anybody.
    const hashed = context.res.ok && context.req.path.startsWith(`${BOARD_PATH}/static/`);
    context.res.headers.set('Cache-Control', hashed ? 'private, max-age=86400' : 'no-store');
  });
  app.onError((error, context) => {
    if (error instanceof HTTPException) return error.getResponse();
    log.error('a console page failed', { path: context.req.path, error: error.message });
    return context.html(messagePage(now(), 'Something failed', 'This page could not be made; the log says why.'), 500);
  });
  app.notFound((context) => context.html(notFound('There is no such page.'), 404));

  app.route('/', healthRoutes(dependencies));
  app.use(requireLogin(login, dependencies));

  app.route('/assets', assetRoutes());
  app.get('/', async (context) => context.html(overviewPage(await overview(), registry)));
  app.get('/api/overview.json', async (context) => context.json(await overview()));

  const merchant = (merchantId: string) => loadMerchant({ db, loadPanel }, merchantId, clock.now());
  const showMerchant = async (context: Context, merchantId: string) => {
    const view = await merchant(merchantId);
    return view === undefined
      ? context.html(notFound('No merchant has this id.'), 404)
      : context.html(merchantPage(view, registry));
  };
  app.get('/merchants', (context) => showMerchant(context, context.req.query('id') ?? ''));
  app.get('/merchants/:id', (context) => showMerchant(context, context.req.param('id')));
  app.get('/api/merchants/:file{.+\\.json}', async (context) => {
    const view = await merchant(context.req.param('file').slice(0, -'.json'.length));
    return view === undefined ? context.json({ error: 'No merchant has this id.' }, 404) : context.json(view);
  });

  app.get('/dead-letters', async (context) => {
    const given = (name: string) => context.req.query(name)?.trim() || undefined;
    const filter = { handler: given('handler'), merchantId: given('merchant') };
    const at = now();
    const letters = await loadPanel('dead letter list', () => readDeadLetters(db, filter, at.getTime(), DEAD_LETTERS));
    return context.html(deadLettersPage({ at, filter, letters }, registry));
  });

  app.get('/search', async (context) => {
    const text = (context.req.query('q') ?? '').trim();
    const at = now();
    // What cannot be an id is not looked for; Postgres would refuse some of it.
    const searchable = idSchema(200).safeParse(text).success;
    const [known, events] = await Promise.all([
      loadPanel('merchant search', async () => searchable && (await merchantExists(db, text))),
      loadPanel('event search', async () => (searchable ? await findEvents(db, text, at.getTime(), FOUND) : [])),
    ]);
    return context.html(searchPage({ at, text, merchant: known, events }));
  });

  app.get(`${BOARD_PATH}/`, (context) => context.redirect(BOARD_PATH));
  app.route(BOARD_PATH, createBoard({ ...dependencies, writable: dependencies.boardWritable }));
  return app;
}
