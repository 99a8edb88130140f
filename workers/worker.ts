import type { Kysely } from 'kysely';
import { hostname } from 'node:os';
import type { CommittedLane } from './act.ts';
import { actorSettings, startActors, transactionsAtOnce } from './actors.ts';
import { createActivations } from './activate.ts';
import { chooseDriver } from './choose-driver.ts';
import { createEffectActors } from './effects.ts';
import { createCorePlatformDrivers } from './core-platform-drivers.ts';
import { createFeedDrivers } from './feed-drivers.ts';
import { createHandlerStarts } from './handler-starts.ts';
import { createHealthApp, listen } from './health.ts';
import { createInHand } from './in-hand.ts';
import { createIntake } from './intake.ts';
import { createIntakeGate } from './intake-gate.ts';
import { createLanes } from './lanes.ts';
import { countCommitted, createObserver, traceCommitted } from './observe.ts';
import { createOutboxRelay } from './outbox-relay.ts';
import { purgeOutbox } from './outbox-rows.ts';
import { createPurge } from './purge.ts';
import { createRepeater } from './repeat.ts';
import { purgePeriods } from './run-scheduled.ts';
import { createScheduler } from './schedule.ts';
import { createSweeper } from './sweep.ts';
import { createWakeBatches } from './wake-batches.ts';
import { resolveAddresses } from '../core/clients/addresses.ts';
import { connectDynamoDB } from '../core/clients/dynamodb.ts';
import { postgresAccess } from '../core/clients/postgres-access.ts';
import { connectPostgres } from '../core/clients/postgres.ts';
import { connectRedis } from '../core/clients/redis.ts';
import { connectS3 } from '../core/clients/s3.ts';
import { connectSES } from '../core/clients/ses.ts';
import { connectSNS, connectSmsSNS } from '../core/clients/sns.ts';
import { connectSQS } from '../core/clients/sqs.ts';
import { exportAuditLog } from '../core/contexts/access/export-audit-log.ts';
import { purgeIdempotencyKeys } from '../core/contexts/access/purge-idempotency-keys.ts';
import { createAdAccounts, derivedAccountId } from '../core/contexts/ad-networks/accounts.ts';
import { connectAdNetworks, sameCredentials } from '../core/contexts/ad-networks/connect.ts';
import { createAdNetworkDriver } from '../core/contexts/ad-networks/driver.ts';
import { readAdAccountId } from '../core/contexts/ad-networks/reads.ts';
import type { AdNetworkId } from '../core/contexts/campaigns/events.ts';
import { createPaymentDriver } from '../core/contexts/billing/payment-driver.ts';
import { createPaymentProvider } from '../core/contexts/billing/payment-provider.ts';
import { createEmailDriver } from '../core/contexts/notifications/email-driver.ts';
import { createSmsDriver } from '../core/contexts/notifications/sms-driver.ts';
import { createWebhookDriver } from '../core/contexts/webhooks/driver.ts';
import { createArchiveDriver } from '../core/contexts/retention/archive-driver.ts';
import { checkSchema, ensurePartitions } from '../core/database/migrate.ts';
import type { Database } from '../core/database/tables.ts';
import type { DestinationDriver } from '../core/events/destination.ts';
import type { HandlerModule } from '../core/events/handler.ts';
import type { Registry } from '../core/events/registry.ts';
import { topologyOf } from '../core/events/topology.ts';
import { createKeyring } from '../core/people/keyring.ts';
import { systemClock as clock } from '../core/runtime/clock.ts';
import { type Config, required } from '../core/runtime/config.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import { createLifecycle, drainOnSignals } from '../core/runtime/lifecycle.ts';
import { createLog } from '../core/runtime/log.ts';
import { createMetrics } from '../core/runtime/metrics.ts';
import { createSpans } from '../core/runtime/spans.ts';
import { bullPrefix } from '../core/runtime/queue-names.ts';
import { storeNames } from '../core/runtime/store-names.ts';
import type { Schedules } from '../core/schedules/schedules.ts';

/** How long before the drain deadline a lane that is still being worked is given up and put back. */
const PUT_BACK_MS = 5_000;

/** Parts of the drain deadline: what was received may be ended, and lanes have whatever is left then. */
const INTAKE_SHARE = 0.2;
const ACTORS_SHARE = 1;

const AUDIT_EXPORT_MS = 5_000;

export async function loadHandlers(events: Registry): Promise<ReadonlyMap<string, HandlerModule>> {
  const handlers = [...events.values()].flatMap((event) => event.handlers);
  return new Map(await Promise.all(handlers.map(async ({ name, load }) => [name, await load()] as const)));
}

/** The first statement of a transaction may be its last for this long; below the lease, so that a fence is never held over it. */
const idleInTransactionMs = (config: Config): number => Math.floor(config.leaseMs / 2);

/** One token serves the local fakes; the networks themselves each want their own. */
const adNetworkCredentials = (config: Config) =>
  config.adNetworkCredentials ?? sameCredentials(required(config, 'adNetworkToken'));

/** Networks of a local run have an account for everybody; at the others a merchant connects one. */
const findAdAccount =
  (db: Kysely<Database>, config: Config) =>
  async (merchantId: string, network: AdNetworkId): Promise<string> => {
    const connected = await readAdAccountId(db, merchantId, network);
    if (connected !== undefined) return connected;
    if (config.adNetworkUrl !== undefined) return derivedAccountId(merchantId);
    throw new LanewayError('effect.unauthorized', `no account at ${network} is connected`, { retry: 'backoff' });
  };

/** Without a provider the destination is unknown, so that invoices wait for a worker that has one. */
const paymentDriver = (
  { paymentUrl, paymentToken }: Config,
  db: Kysely<Database>,
): Record<string, DestinationDriver> =>
  paymentUrl === undefined || paymentToken === undefined
    ? {}
    : {
        payments: createPaymentDriver({
          db,
          provider: createPaymentProvider({ baseUrl: paymentUrl, token: paymentToken }),
          clock,
        }),
      };

export interface WorkerOptions {
  config: Config;
  /** The events this worker polls for and works. */
  registry: Registry;
  /** By handler name: every handler of the registry. */
  handlers: ReadonlyMap<string, HandlerModule>;
  /** The scheduled jobs it takes part in. */
  schedules: Schedules;
}

/**
 * Wires and starts one worker: polls, accepts, works lanes and effects, relays, sweeps. Resolves when it is ready; it then
 * runs until a signal drains it. Rejects when it cannot start: a setting is missing, a server is away, the schema is not
 * one it can work with.
 */
export async function runWorker({ config, registry, handlers, schedules }: WorkerOptions): Promise<void> {
  const worker = config.processName ?? `worker-${hostname()}-${process.pid}`;
  const log = createLog(worker, config.logLevel);
  const lifecycle = createLifecycle(log, config.drainMs);
  drainOnSignals(lifecycle);
  // Registered first, so that it is stopped last: it tells of the draining.
  let closeHealth = () => Promise.resolve();
  lifecycle.onStop('health endpoint', () => closeHealth());
  let setGauges = () => undefined as void;
  const metrics = createMetrics({
    endpoint: config.otlpEndpoint,
    service: worker,
    clock,
    log,
    observe: () => setGauges(),
  });
  lifecycle.onStop('metrics', () => metrics.stop());
  const spans = createSpans({ endpoint: config.otlpEndpoint, service: worker, clock, log });
  lifecycle.onStop('spans', () => spans.stop());
  const prefix = bullPrefix(config.stack);

  const connect = (poolSize: number, plannedOnce = false) => {
    const postgres = connectPostgres({
      url: config.postgresUrl,
      access: postgresAccess(config),
      poolSize,
      indexesOnly: true,
      plannedOnce,
      applicationName: worker,
      statementTimeoutMs: config.leaseMs,
      idleInTransactionTimeoutMs: idleInTransactionMs(config),
      lockTimeoutMs: config.leaseMs,
    });
    lifecycle.onStop('postgres', () => postgres.close());
    return postgres;
  };
  // Pools of their own: lanes that are slow, all at once, keep neither intake nor the sweeper from a connection.
  const { db, pool } = connect(Math.max(config.postgresPool, transactionsAtOnce(config)));
  const { db: intakeDb } = connect(config.intakePool, true);
  const { db: backgroundDb } = connect(config.backgroundPool);
  const redis = connectRedis(config.redisUrl, worker);
  lifecycle.onStop('redis', () => Promise.resolve(redis.disconnect()));
  await checkSchema(db);
  await ensurePartitions(db, clock.now());
  const starts = createHandlerStarts({ db: backgroundDb, registry, worker, clock, log });
  await starts.align();
  lifecycle.onStop('handler starts', () => starts.stop());

  const [sqs, sns, dynamodb, s3] = [connectSQS(), connectSNS(), connectDynamoDB(), connectS3()];
  const keyring = createKeyring(required(config, 'masterKeys'), config.bodyHmacKey);
  const aboutPeople = [...registry.values()].flatMap(({ name, person }) => (person === undefined ? [] : [name]));
  const topology = topologyOf(registry, config.stack);
  const names = storeNames(config.stack, config.bucketSuffix);
  const addresses = await resolveAddresses(sqs, topology, { region: config.awsRegion, account: config.awsAccount });

  const gate = createIntakeGate({ db: intakeDb, redis, clock, log });
  const memoryShare = () => gate.memoryShare;
  const lanes = createLanes({ redis, prefix, cap: config.laneCap, memoryShare, clock, log });
  const activations = createActivations({
    redis,
    prefix,
    partitions: config.activationPartitions,
    worker,
    leaseMs: config.leaseMs,
    clock,
  });
  lifecycle.onStop('activations', () => activations.close());

  const unsendable = () => metrics.count('outboxUnsendable', {});
  const relay = createOutboxRelay({
    ...{ db: backgroundDb, sqs, sns, addresses, worker, clock, log, unsendable, aboutPeople },
  });
  lifecycle.onStop('outbox relay', () => relay.stop());

  const adNetworks = createAdNetworkDriver({
    networks: connectAdNetworks({ baseUrl: config.adNetworkUrl, credentials: adNetworkCredentials(config), clock }),
    accounts: createAdAccounts({ clock, accountIdOf: findAdAccount(backgroundDb, config) }),
    clock,
    db: backgroundDb,
  });
  const feeds = createFeedDrivers({
    db: backgroundDb,
    baseUrl: config.adNetworkUrl,
    credentials: adNetworkCredentials(config),
    clock,
  });
  const effects = createEffectActors({
    db: backgroundDb,
    redis,
    prefix,
    dynamodb,
    claimsTable: names.claimsTable,
    drivers: chooseDriver({
      'ad-network': adNetworks,
      ...feeds,
      ...createCorePlatformDrivers({ config, db: backgroundDb, registry, sqs, sns, addresses, clock }),
      archive: createArchiveDriver({ db: backgroundDb, s3, bucket: names.archiveBucket }),
      email: createEmailDriver({ db: backgroundDb, keyring, ses: connectSES(), from: config.mailFrom, clock }),
      ...paymentDriver(config, backgroundDb),
      webhook: createWebhookDriver({
        db: backgroundDb,
        keyring,
        rules: { allowLoopback: config.webhookLoopback },
        clock,
      }),
      sms: createSmsDriver({ db: backgroundDb, keyring, sns: connectSmsSNS(config.smsEndpoint), clock }),
    }),
    registry,
    worker,
    leaseMs: config.leaseMs,
    concurrency: config.effectActors,
    limits: config.destinationLimits,
    clock,
    log,
    emitted: () => relay.nudge(),
  });

  const eventOf = new Map(
    [...registry.values()].flatMap((event) => event.handlers.map(({ name }) => [name, event.name])),
  );
  const committed = (committedLanes: readonly CommittedLane[]) => {
    const now = clock.now();
    countCommitted(metrics, committedLanes, (handler) => eventOf.get(handler), now);
    traceCommitted(spans, committedLanes, (handler) => eventOf.get(handler), now);
    void lanes.trim(committedLanes);
    if (committedLanes.some(({ ledger }) => ledger.outbox.length > 0)) relay.nudge();
    const intents = committedLanes.flatMap(({ ledger }) => ledger.intents);
    if (intents.length > 0)
      effects.wake(intents).catch((error: unknown) => {
        log.warn('effects not woken, the sweeper will', {
          error: error instanceof Error ? error.message : String(error),
        });
      });
  };
  const actors = startActors({
    ...actorSettings(config),
    deps: {
      ...{ ...config, registry, handlers, keyring, starts, random: Math.random, pool, clock, worker, committed },
      inHand: createInHand({ redis, prefix, log }),
    },
    activations,
    log,
    refused: () => metrics.count('fenceRefusals', {}),
    readWakes: async (merchantIds) => {
      const rows = await db
        .selectFrom('lanes')
        .select(['merchant_id', 'wake'])
        .where('merchant_id', 'in', merchantIds)
        .execute();
      return new Map(rows.map((row) => [row.merchant_id, row.wake]));
    },
  });
  // Together: a call to the outside that hangs and a handler that hangs may not take their time one after the other.
  lifecycle.onStop(
    'actors',
    async (leftMs) => {
      const graceMs = Math.max(0, leftMs - PUT_BACK_MS);
      await Promise.all([actors.stop(graceMs), effects.stop(graceMs)]);
    },
    ACTORS_SHARE,
  );

  const sweeper = createSweeper({
    db: backgroundDb,
    redis,
    prefix,
    clock,
    log,
    everyMs: config.sweepMs,
    wakeMerchants: (merchantIds) => activations.wake(merchantIds),
    rouseMerchants: (merchantIds) => activations.rouse(merchantIds),
    wakeEffects: (keys) => effects.wake(keys),
    housekeeping: async () => {
      await purgeOutbox(backgroundDb, clock.now());
      await purgeIdempotencyKeys(backgroundDb, clock.now());
      await purgePeriods(backgroundDb, clock.now());
    },
  });
  lifecycle.onStop('sweeper', () => sweeper.stop());

  const scheduler = createScheduler({
    db: backgroundDb,
    redis,
    prefix,
    schedules,
    registry,
    clock,
    log,
    emitted: () => relay.nudge(),
    refreshMs: config.scheduleMs,
  });
  lifecycle.onStop('scheduler', () => scheduler.stop());

  lifecycle.onStop('intake gate', () => gate.stop());

  const intake = createIntake({
    config,
    topology,
    registry,
    addresses,
    db: intakeDb,
    keyring,
    sqs,
    s3,
    dynamodb,
    clock,
    log,
    mayPoll: () => gate.open,
    accepted: (queue, count) => metrics.count('eventsAccepted', { queue }, count),
    wake: createWakeBatches({
      wake: async (entries) => {
        const merchants = entries.map((entry) => entry.merchantId);
        // In this order on one connection, and nobody waits for the first before the second is sent.
        await Promise.all([lanes.addPointers(entries), activations.wake(merchants)]);
        return merchants;
      },
    }),
  });
  lifecycle.onStop('intake', () => intake.stop(), INTAKE_SHARE);

  setGauges = () => {
    metrics.gauge('intakeClosed', {}, gate.open ? 0 : 1);
    for (const [queue, { lastReceiveAgeMs }] of Object.entries(intake.report()))
      if (lastReceiveAgeMs !== undefined) metrics.gauge('pollerAge', { queue }, lastReceiveAgeMs / 1_000);
  };
  const observer = createObserver({ db: backgroundDb, metrics, clock, log });
  lifecycle.onStop('observer', () => observer.stop());

  const { remember } = intake;
  const purge = createPurge({ db: backgroundDb, remember, clock, log, purgeDays: config.purgeDays });
  lifecycle.onStop('purge', () => purge.stop());

  const auditExport = createRepeater({
    what: 'exporting the audit log',
    everyMs: AUDIT_EXPORT_MS,
    work: async () => ({ more: (await exportAuditLog(backgroundDb, log)) > 0 }),
    clock,
    log,
  });
  lifecycle.onStop('audit export', () => auditExport.stop());

  const health = await listen(
    createHealthApp(lifecycle, () => ({
      intake: { open: gate.open, reason: gate.reason },
      lanesActive: actors.active,
      pollers: intake.report(),
    })),
    config.host,
    config.port,
  );
  closeHealth = health.close;

  starts.start();
  await gate.check();
  gate.start();
  relay.start();
  effects.start();
  sweeper.start();
  scheduler.start();
  purge.start();
  metrics.start();
  spans.start();
  if (config.otlpEndpoint !== undefined) observer.start();
  auditExport.start();
  intake.start();
  lifecycle.ready();
  log.info('ready', { url: health.url, queues: topology.queues.map((queue) => queue.name) });
  process.send?.({ type: 'ready', url: health.url });
}
