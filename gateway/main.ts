import { serve } from '@hono/node-server';
import { createApp } from './app.ts';
import { postgresAccess } from '../core/clients/postgres-access.ts';
import { connectPostgres } from '../core/clients/postgres.ts';
import { registry } from '../core/events/registry.ts';
import { createKeyring } from '../core/people/keyring.ts';
import { systemClock } from '../core/runtime/clock.ts';
import { loadGatewayConfig, required } from '../core/runtime/config.ts';
import { SERVER_SHARE, createLifecycle, drainOnSignals } from '../core/runtime/lifecycle.ts';
import { createLog } from '../core/runtime/log.ts';

const REQUEST_DEADLINE_MS = 10_000;

const config = loadGatewayConfig();
const name = config.processName ?? 'gateway';
const log = createLog(name, config.logLevel);
const lifecycle = createLifecycle(log, config.drainMs);

const postgres = connectPostgres({
  url: config.postgresUrl,
  access: postgresAccess(config),
  poolSize: config.postgresPool,
  applicationName: name,
  statementTimeoutMs: REQUEST_DEADLINE_MS,
  idleInTransactionTimeoutMs: 5_000,
  lockTimeoutMs: 3_000,
});
lifecycle.onStop('postgres', () => postgres.close());

const app = createApp({
  db: postgres.db,
  registry,
  clock: systemClock,
  log,
  keyring: createKeyring(required(config, 'masterKeys'), config.bodyHmacKey),
  corePlatformSecret: required(config, 'corePlatformSecret'),
  requestDeadlineMs: REQUEST_DEADLINE_MS,
  webhookLoopback: config.webhookLoopback,
  state: () => lifecycle.state,
});

const server = serve(
  {
    fetch: app.fetch,
    hostname: config.host,
    port: config.port,
    // A client that sends its request a byte at a time must not keep a connection for minutes.
    serverOptions: { headersTimeout: 10_000, requestTimeout: 20_000 },
  },
  ({ port }) => {
    const url = `http://${config.host}:${port}`;
    lifecycle.ready();
    log.info('gateway is up', { url });
    process.send?.({ type: 'ready', url });
  },
);
const giveUp = async () => {
  await lifecycle.drain('cannot listen');
  process.exit(1);
};
server.on('error', (error: Error) => {
  log.error('the gateway cannot listen', { error: error.message });
  void giveUp();
});
/** Takes no new connection, closes idle ones, and resolves when the last request has its answer. */
lifecycle.onStop('http', () => new Promise((resolve) => void server.close(() => resolve())), SERVER_SHARE);
drainOnSignals(lifecycle);
