import { compileCacheDir } from './data-folder.ts';
import { type Keyring, createKeyring } from '../../core/people/keyring.ts';
import type { Secrets } from './secrets.ts';
import { adNetworkIds } from '../../core/contexts/campaigns/events.ts';

/** The addresses of one running stack, as its processes are told them. */
export interface StackAddresses {
  readonly redisUrl: string;
  readonly emulatorEndpoint: string;
  readonly dynamodbEndpoint: string;
  readonly networksUrl: string;
  databaseUrl(role: 'laneway_worker' | 'laneway_gateway' | 'laneway_reader'): string;
}

export const region = 'eu-central-1';
export const account = '000000000000';
export const stackName = 'laneway';
/** The emulators take any; real ones of the person who types `npm start` must not get near them. */
export const accessKeyId = 'test';
export const secretAccessKey = 'test';
export const opsUser = 'ops';
/** Long enough for work in flight, short enough that Ctrl-C does not feel stuck. */
export const drainMs = 15_000;

/** What the AWS SDK reads. */
export const awsEnvironment = ({
  emulatorEndpoint,
  dynamodbEndpoint,
  networksUrl,
}: StackAddresses): Record<string, string> => ({
  AWS_REGION: region,
  AWS_ACCESS_KEY_ID: accessKeyId,
  AWS_SECRET_ACCESS_KEY: secretAccessKey,
  AWS_ENDPOINT_URL_SQS: emulatorEndpoint,
  AWS_ENDPOINT_URL_SNS: emulatorEndpoint,
  AWS_ENDPOINT_URL_S3: emulatorEndpoint,
  AWS_ENDPOINT_URL_DYNAMODB: dynamodbEndpoint,
  AWS_ENDPOINT_URL_SESV2: networksUrl,
});

/** Settings that somebody has in their shell must not reach into the stack: everything of AWS and of Laneway is set here. */
export const inheritedEnvironment = (env: NodeJS.ProcessEnv = process.env): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).flatMap(([name, value]): [string, string][] =>
      value === undefined || /^(AWS_|LANEWAY_(?!LOG_LEVEL$|LEASE_MS$|TEST_FILE_MARK$)|NODE_CHANNEL)/.test(name)
        ? []
        : [[name, value]],
    ),
  );

interface Shared {
  readonly addresses: StackAddresses;
  readonly secrets: Secrets;
}

const shared = ({ addresses, secrets }: Shared, name: string, role: Parameters<StackAddresses['databaseUrl']>[0]) => ({
  ...inheritedEnvironment(),
  ...awsEnvironment(addresses),
  // Each kind of process signs as itself, so that a recorded run tells who asked for what.
  AWS_ACCESS_KEY_ID: role === 'laneway_reader' ? 'console' : role.replace('laneway_', ''),
  LANEWAY_STACK: stackName,
  LANEWAY_AWS_ACCOUNT: account,
  LANEWAY_PROCESS_NAME: name,
  LANEWAY_POSTGRES_URL: addresses.databaseUrl(role),
  LANEWAY_REDIS_URL: addresses.redisUrl,
  LANEWAY_BODY_HMAC_KEY: secrets.bodyHmacKey,
  LANEWAY_HOST: '127.0.0.1',
  LANEWAY_DRAIN_MS: String(drainMs),
  NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? compileCacheDir,
});

const masterKeysOf = ({ masterKey }: Secrets): string => `local:${masterKey}`;

/** Opens and seals what processes of this data folder do. */
export const keyringOf = (secrets: Secrets): Keyring => createKeyring(masterKeysOf(secrets), secrets.bodyHmacKey);

/** Only for processes that read what is about people. */
const masterKeys = ({ secrets }: Shared) => ({ LANEWAY_MASTER_KEYS: masterKeysOf(secrets) });

/** What PostgreSQL's 200 connections leave to the workers together. */
const workerConnections = 140;

function workerPools(workers: number): Record<string, string> {
  const share = Math.floor(workerConnections / workers);
  const [intake, background] = share < 6 ? [1, 1] : share < 20 ? [2, 2] : [5, 6];
  return {
    LANEWAY_POSTGRES_POOL: String(Math.max(1, Math.min(20, share - intake - background))),
    LANEWAY_INTAKE_POOL: String(intake),
    LANEWAY_BACKGROUND_POOL: String(background),
  };
}

/** The fakes take what they get: limits of what they stand for would only slow the demo down. */
const fakeLimits = JSON.stringify(
  Object.fromEntries(
    [...adNetworkIds.map((network) => `ad-network:${network}`), 'email', 'sms'].map((destination) => [
      destination,
      { quota: [{ calls: 60_000, perMs: 60_000 }], concurrency: 8 },
    ]),
  ),
);

export const workerEnvironment = (stack: Shared, name: string, workers: number): Record<string, string> => ({
  ...shared(stack, name, 'laneway_worker'),
  // A stop waits for the receives that are open, and the emulator does not charge by the request.
  LANEWAY_POLL_WAIT_SECONDS: '2',
  ...workerPools(workers),
  ...masterKeys(stack),
  LANEWAY_AD_NETWORK_URL: stack.addresses.networksUrl,
  LANEWAY_AD_NETWORK_TOKEN: stack.secrets.adNetworkToken,
  LANEWAY_DESTINATION_LIMITS: fakeLimits,
  LANEWAY_CORE_PLATFORM_URL: `${stack.addresses.networksUrl}/core-platform`,
  LANEWAY_CORE_PLATFORM_TOKEN: stack.secrets.adNetworkToken,
  LANEWAY_PAYMENT_URL: stack.addresses.networksUrl,
  LANEWAY_PAYMENT_TOKEN: stack.secrets.adNetworkToken,
  LANEWAY_WEBHOOK_LOOPBACK: 'true',
  LANEWAY_SMS_ENDPOINT: `${stack.addresses.networksUrl}/sms`,
});

export const gatewayEnvironment = (stack: Shared, port: number): Record<string, string> => ({
  ...shared(stack, 'gateway', 'laneway_gateway'),
  ...masterKeys(stack),
  LANEWAY_CORE_PLATFORM_SECRET: stack.secrets.corePlatformSecret,
  LANEWAY_WEBHOOK_LOOPBACK: 'true',
  LANEWAY_PORT: String(port),
});

export const consoleEnvironment = (stack: Shared, port: number): Record<string, string> => ({
  ...shared(stack, 'console', 'laneway_reader'),
  LANEWAY_OPS_USER: opsUser,
  LANEWAY_OPS_PASSWORD: stack.secrets.opsPassword,
  LANEWAY_PORT: String(port),
});
