import { serve } from '@hono/node-server';
import { getConnInfo } from '@hono/node-server/conninfo';
import { postgresAccess } from '../core/clients/postgres-access.ts';
import { connectPostgres } from '../core/clients/postgres.ts';
import { connectRedis } from '../core/clients/redis.ts';
import { connectSQS } from '../core/clients/sqs.ts';
import { registry } from '../core/events/registry.ts';
import { systemClock } from '../core/runtime/clock.ts';
import { loadConsoleConfig, required } from '../core/runtime/config.ts';
import { SERVER_SHARE, createLifecycle, drainOnSignals } from '../core/runtime/lifecycle.ts';
import { createLog } from '../core/runtime/log.ts';
import { createConsole } from './app.ts';

const STATEMENT_TIMEOUT_MS = 3_000;

const config = loadConsoleConfig();
const name = config.processName ?? 'console';
const log = createLog(name, config.logLevel);
const login = { user: required(config, 'opsUser'), password: required(config, 'opsPassword') };
const lifecycle = createLifecycle(log, config.drainMs);

const postgres = connectPostgres({
  url: config.postgresUrl,
  access: postgresAccess(config),
  poolSize: Math.min(config.postgresPool, 12),
  applicationName: name,
  statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  idleInTransactionTimeoutMs: STATEMENT_TIMEOUT_MS,
});
lifecycle.onStop('postgres', () => postgres.close());
const redis = connectRedis(config.redisUrl, name);
lifecycle.onStop('redis', async () => redis.disconnect());
const sqs = connectSQS();
lifecycle.onStop('sqs', async () => sqs.destroy());

const app = createConsole({
  db: postgres.db,
  redis,
  sqs,
  registry,
  stack: config.stack,
  partitions: config.activationPartitions,
  boardWritable: config.bullBoardWritable,
  login,
  clock: systemClock,
  log,
  state: () => lifecycle.state,
  addressOf: (context) => getConnInfo(context).remote.address ?? 'unknown',
});

const server = serve({ fetch: app.fetch, hostname: config.host, port: config.port }, ({ port }) => {
  const url = `http://${config.host}:${port}`;
  lifecycle.ready();
  log.info('console is up', { url });
  process.send?.({ type: 'ready', url });
});
const giveUp = async () => {
  await lifecycle.drain('cannot listen');
  process.exit(1);
};
server.on('error', (error: Error) => {
  log.error('the console cannot listen', { error: error.message });
  void giveUp();
});
lifecycle.onStop(
  'http',
  () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      // Browsers keep idle connections open, which would hold up the close.
      if ('closeIdleConnections' in server) server.closeIdleConnections();
    }),
  SERVER_SHARE,
);
drainOnSignals(lifecycle);
