import * as pulumi from '@pulumi/pulumi';
import { otlpEndpoint } from './collector-config.ts';
import type { Database } from './components/database.ts';
import { databaseName, databaseOwner } from './components/database.ts';
import { drainMs } from './components/container-service.ts';
import { visibilitySeconds } from './components/messaging.ts';
import type { SecretReference, SecretReferences } from './components/secrets.ts';
import { ports } from './components/security-groups.ts';
import { bucketSuffix } from './names.ts';
import { databaseUsers } from './permissions.ts';
import type { Settings } from './settings.ts';

/** A lane's lease; the visibility timeout may not be longer, or a redelivery would come after its lane was given up. */
export const leaseMs = 30_000;

type Environment = Readonly<Record<string, pulumi.Input<string>>>;
type ProcessSecrets = Readonly<Record<string, SecretReference['valueFrom']>>;

/**
 * What each process is told: `verify/environment.ts` compares it with the schema in core/runtime/config.ts, so that what a
 * process must have is set, and what is set is read.
 */
export interface ProcessSettings {
  environment: Environment;
  secrets: ProcessSecrets;
}

export function processSettings(
  settings: Settings,
  database: Database,
  references: SecretReferences,
): Record<'worker' | 'gateway' | 'console' | 'migration', ProcessSettings> {
  const { stack, region, accountId, databaseCaBundle, size } = settings;
  const postgresUrl = (user: string) =>
    pulumi.interpolate`postgres://${user}@${database.cluster.endpoint}:${ports.postgres}/${databaseName}`;
  const secret = (name: Exclude<keyof SecretReferences, 'paymentToken'>) => references[name].valueFrom;
  const { paymentToken } = references;
  const payment =
    settings.paymentUrl === undefined || paymentToken === undefined
      ? { environment: {}, secrets: {} }
      : {
          environment: { LANEWAY_PAYMENT_URL: settings.paymentUrl },
          secrets: { LANEWAY_PAYMENT_TOKEN: paymentToken.valueFrom },
        };
  const shared = {
    AWS_REGION: region,
    LANEWAY_STACK: stack,
    LANEWAY_POSTGRES_CA: databaseCaBundle,
  };
  const signedIn = { LANEWAY_POSTGRES_IAM: 'true' };
  const running = { LANEWAY_DRAIN_MS: String(drainMs) };
  return {
    worker: {
      environment: {
        ...shared,
        ...signedIn,
        ...running,
        LANEWAY_AWS_ACCOUNT: accountId,
        LANEWAY_BUCKET_SUFFIX: bucketSuffix(settings),
        LANEWAY_POSTGRES_URL: postgresUrl(databaseUsers.worker),
        LANEWAY_MAIL_FROM: `Laneway <notifications@${settings.mailDomain}>`,
        LANEWAY_HOST: '127.0.0.1',
        LANEWAY_PORT: String(workerPort),
        LANEWAY_LEASE_MS: String(leaseMs),
        LANEWAY_VISIBILITY_SECONDS: String(visibilitySeconds),
        LANEWAY_POSTGRES_POOL: String(workerPool(size)),
        LANEWAY_OTLP_ENDPOINT: otlpEndpoint,
        ...payment.environment,
      },
      secrets: {
        LANEWAY_REDIS_URL: secret('redisUrl'),
        LANEWAY_BODY_HMAC_KEY: secret('bodyHmacKey'),
        LANEWAY_MASTER_KEYS: secret('masterKeys'),
        LANEWAY_AD_NETWORK_CREDENTIALS: secret('adNetworkCredentials'),
        ...payment.secrets,
      },
    },
    gateway: {
      environment: {
        ...shared,
        ...signedIn,
        ...running,
        LANEWAY_POSTGRES_URL: postgresUrl(databaseUsers.gateway),
        LANEWAY_POSTGRES_POOL: '10',
        LANEWAY_HOST: '0.0.0.0',
        LANEWAY_PORT: String(ports.gateway),
      },
      secrets: {
        LANEWAY_CORE_PLATFORM_SECRET: secret('corePlatformSecret'),
        LANEWAY_BODY_HMAC_KEY: secret('bodyHmacKey'),
        LANEWAY_MASTER_KEYS: secret('masterKeys'),
      },
    },
    console: {
      environment: {
        ...shared,
        ...signedIn,
        ...running,
        LANEWAY_POSTGRES_URL: postgresUrl(databaseUsers.console),
        LANEWAY_POSTGRES_POOL: '5',
        LANEWAY_HOST: '0.0.0.0',
        LANEWAY_PORT: String(ports.console),
        LANEWAY_OPS_USER: 'operator',
      },
      secrets: { LANEWAY_REDIS_URL: secret('redisUrl'), LANEWAY_OPS_PASSWORD: secret('opsPassword') },
    },
    migration: {
      environment: { ...shared, LANEWAY_POSTGRES_URL: postgresUrl(databaseOwner) },
      secrets: {
        LANEWAY_POSTGRES_PASSWORD: database.cluster.masterUserSecrets.apply(
          (all) => `${all[0]?.secretArn ?? ''}:password::`,
        ),
      },
    },
  };
}

export const workerPort = 8081;

/** Connections that intake, relay, sweeper and effects of a worker have beside those for lanes: the defaults in config.ts. */
const OTHER_POOLS = 5 + 6;
/** What gateways, consoles, operators and Postgres itself need. */
const RESERVED_SHARE = 0.25;

/** As many connections for lanes as all workers at their most can have together. */
export function workerPool({ database, worker }: Settings['size']): number {
  const forWorkers = Math.floor(database.maxConnections * (1 - RESERVED_SHARE));
  return Math.max(4, Math.min(20, Math.floor(forWorkers / worker.max) - OTHER_POOLS));
}
