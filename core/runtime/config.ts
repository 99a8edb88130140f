import { z } from 'zod';
import { LanewayError } from './errors.ts';
import { destinationLimits } from '../events/destination-limits.ts';

/**
 * Every setting of every process, read once from the environment. Addresses of AWS services are not here: the SDK reads
 * `AWS_REGION`, credentials and `AWS_ENDPOINT_URL_*` itself, so that leaving those unset is all it takes to use AWS.
 */
const whole = (fallback: number, least: number, most = Number.MAX_SAFE_INTEGER) =>
  // Number('') is 0: a variable that is set to nothing would be a number that nobody chose.
  z.string().regex(/\S/, 'is blank').transform(Number).pipe(z.number().int().min(least).max(most)).default(fallback);
const duration = (fallback: number) => whole(fallback, 1);
const count = duration;
const json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: `is not JSON: ${String(error)}` });
    return z.NEVER;
  }
});

const token = z.strictObject({ token: z.string().min(1) });
const adNetworkCredentials = z.strictObject({
  google_ads: z.strictObject({
    clientId: z.string().min(1),
    clientSecret: z.string().min(1),
    refreshToken: z.string().min(1),
    loginCustomerId: z.string().regex(/^\d+$/).optional(),
  }),
  meta: token,
  tiktok: token,
});

const schema = z.object({
  /** Prefix of every queue, topic, table and Redis key: several stacks can share an account. */
  LANEWAY_STACK: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,30}$/)
    .default('laneway'),
  LANEWAY_LOG_LEVEL: z.enum(['error', 'warn', 'info', 'debug']).default('info'),
  /** What this process is called in logs, `applied.worker` and the console. */
  LANEWAY_PROCESS_NAME: z.string().max(100).optional(),

  LANEWAY_POSTGRES_URL: z.url(),
  /** Instead of one in the URL, where the password comes from elsewhere than the address. */
  LANEWAY_POSTGRES_PASSWORD: z.string().min(1).optional(),
  /** Sign in with a token of IAM instead of a password; asks for TLS. */
  LANEWAY_POSTGRES_IAM: z.stringbool().default(false),
  /** PEM of the authorities whose certificate Postgres must show. With it connections are encrypted and verified. */
  LANEWAY_POSTGRES_CA: z.string().includes('BEGIN CERTIFICATE').optional(),
  /** Connections of a gateway or console; of a worker, those for its lanes. */
  LANEWAY_POSTGRES_POOL: count(20),
  /** Further connections of a worker, for accepting: slow lanes cannot keep new events from coming in. */
  LANEWAY_INTAKE_POOL: count(5),
  /** Further connections of a worker, for relay, sweeper and effects. */
  LANEWAY_BACKGROUND_POOL: count(6),
  LANEWAY_REDIS_URL: z.url(),

  LANEWAY_AWS_ACCOUNT: z
    .string()
    .regex(/^\d{12}$/)
    .default('000000000000'),
  /** After the names of buckets, which all of AWS shares: `-` and the account, mostly. */
  LANEWAY_BUCKET_SUFFIX: z
    .string()
    .regex(/^(-[a-z0-9]{1,20})*$/)
    .default(''),
  AWS_REGION: z.string().min(1),

  /** Key of the HMAC over received bytes by which a duplicate is told from a conflict. */
  LANEWAY_BODY_HMAC_KEY: z.string().min(16),
  /**
   * `id:base64` of 32 bytes each, separated by commas: keys that wrap the keys of persons. The first one wraps, the others
   * unwrap what earlier ones wrapped.
   */
  LANEWAY_MASTER_KEYS: z.string().min(1).optional(),
  /** Shared secret of the core platform's product webhook. */
  LANEWAY_CORE_PLATFORM_SECRET: z.string().min(16).optional(),
  /** The core platform's API, from which product changes are pulled; without it merchants' pulls wait. */
  LANEWAY_CORE_PLATFORM_URL: z.url().optional(),
  LANEWAY_CORE_PLATFORM_TOKEN: z.string().min(1).optional(),
  /** Where all ad networks are, each under its name; without it, where their documentation says. */
  LANEWAY_AD_NETWORK_URL: z.url().optional(),
  /** For networks that take any, as the local ones do. */
  LANEWAY_AD_NETWORK_TOKEN: z.string().min(1).optional(),
  /** `{"google_ads":{"clientId":…,"clientSecret":…,"refreshToken":…,"loginCustomerId":…},"meta":{"token":…},"tiktok":{"token":…}}` */
  LANEWAY_AD_NETWORK_CREDENTIALS: json.pipe(adNetworkCredentials).optional(),
  /** Who mail is from: an identity that SES has verified. */
  LANEWAY_MAIL_FROM: z.string().min(3).default('Laneway <notifications@laneway.example>'),
  /** The payment provider; without it invoices wait to be collected. */
  LANEWAY_PAYMENT_URL: z.url().optional(),
  LANEWAY_PAYMENT_TOKEN: z.string().min(1).optional(),
  /** For local runs only: webhook endpoints may lie on this machine, without TLS. */
  LANEWAY_WEBHOOK_LOOPBACK: z.stringbool().default(false),
  /** For local runs only: where SMS go instead of SNS. */
  LANEWAY_SMS_ENDPOINT: z.url().optional(),

  /** Where metrics go, by OTLP over HTTP; without it there are none. */
  LANEWAY_OTLP_ENDPOINT: z.url().optional(),

  LANEWAY_HOST: z.string().default('127.0.0.1'),
  LANEWAY_PORT: whole(0, 0, 65_535),
  LANEWAY_OPS_USER: z.string().min(1).optional(),
  LANEWAY_OPS_PASSWORD: z.string().min(8).optional(),
  /** Bull Board may retry activations only when this is `true`; everything else in it is read-only always. */
  LANEWAY_BULL_BOARD_WRITABLE: z.stringbool().default(false),

  LANEWAY_LEASE_MS: duration(30_000),
  LANEWAY_DRAIN_MS: duration(110_000),
  /** Lanes of a process that are worked on their own at a time. */
  LANEWAY_ACTORS: count(16),
  /** Transactions of a process that several lanes share, at a time. */
  LANEWAY_CREWS: count(4),
  /** Lanes, events and bytes that share a transaction at most. */
  LANEWAY_CONVOY_LANES: count(64),
  LANEWAY_CONVOY_EVENTS: count(800),
  LANEWAY_CONVOY_BYTES: count(4_194_304),
  /** How long a shared transaction is meant to take: slower ones make the next ones smaller. */
  LANEWAY_CONVOY_MS: duration(1_000),
  /** How long one call of a handler may take in it before its lanes are tried in smaller ones. */
  LANEWAY_CONVOY_CALL_MS: duration(1_000),
  /** How long it may wait for a lock. */
  LANEWAY_CONVOY_LOCK_MS: duration(200),
  LANEWAY_EFFECT_ACTORS: count(16),
  /** `{"ad-network:meta":{"quota":[{"calls":600,"perMs":60000}],"concurrency":4}}`: instead of what drivers declare. */
  LANEWAY_DESTINATION_LIMITS: json.pipe(z.record(z.string(), destinationLimits)).default({}),
  LANEWAY_WINDOW_EVENTS: count(200),
  LANEWAY_WINDOW_BYTES: count(1_048_576),
  LANEWAY_QUANTUM_WINDOWS: count(4),
  LANEWAY_QUANTUM_MS: duration(2_000),
  LANEWAY_LANE_CAP: count(1_000),
  LANEWAY_ACTIVATION_PARTITIONS: count(1),
  LANEWAY_RECEIVES_PER_QUEUE: count(2),
  /** What all pollers of a process may have received and not yet handled. */
  LANEWAY_IN_FLIGHT_MESSAGES: count(2_000),
  LANEWAY_IN_FLIGHT_BYTES: count(134_217_728),
  LANEWAY_VISIBILITY_SECONDS: count(30),
  LANEWAY_POLL_WAIT_SECONDS: whole(20, 0, 20),
  LANEWAY_SWEEP_MS: duration(1_000),
  /** How often scheduled jobs are looked at that no wake-up came for. */
  LANEWAY_SCHEDULE_MS: duration(30_000),
  /** Days for which marks live in DynamoDB; longer than Postgres keeps rows. */
  LANEWAY_DEDUPE_DAYS: count(90),
  /** Days for which `accepted` keeps rows: queue retention (4) + DLQ retention (14) with room. */
  LANEWAY_PURGE_DAYS: count(30),
});

type Raw = z.infer<typeof schema>;
type Stripped<K extends string> = K extends `LANEWAY_${infer Rest}` ? Rest : K;
type Camel<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Lowercase<Head>}${Capitalize<Camel<Tail>>}`
  : Lowercase<S>;

/** `LANEWAY_WINDOW_EVENTS` is `config.windowEvents`. */
export type Config = { readonly [K in keyof Raw as Camel<Stripped<K>>]: Raw[K] };

const camel = (name: string) =>
  name
    .replace(/^LANEWAY_/, '')
    .toLowerCase()
    .replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Throws `config.invalid` naming every faulty variable at once. */
export const loadConfig = (env: Record<string, string | undefined> = process.env): Config =>
  // The mapped type above renames the keys exactly as `camel` does; the compiler cannot follow Object.fromEntries.
  parse(schema, env) as Config;

/** What the gateway does not need: it is reached from the internet, and is not told. */
const notTheGateways = { LANEWAY_REDIS_URL: true } as const;

export type GatewayConfig = Omit<Config, 'redisUrl'>;

export const loadGatewayConfig = (env: Record<string, string | undefined> = process.env): GatewayConfig =>
  // As above.
  parse(schema.omit(notTheGateways), env) as GatewayConfig;

export type ConsoleConfig = Omit<Config, 'bodyHmacKey'>;

export const loadConsoleConfig = (env: Record<string, string | undefined> = process.env): ConsoleConfig =>
  // As above.
  parse(schema.omit({ LANEWAY_BODY_HMAC_KEY: true }), env) as ConsoleConfig;

const postgresSettings = {
  LANEWAY_POSTGRES_URL: true,
  LANEWAY_POSTGRES_PASSWORD: true,
  LANEWAY_POSTGRES_IAM: true,
  LANEWAY_POSTGRES_CA: true,
  AWS_REGION: true,
} as const;

export type MigrationConfig = Pick<
  Config,
  'stack' | 'logLevel' | 'postgresUrl' | 'postgresPassword' | 'postgresIam' | 'postgresCa' | 'awsRegion'
>;

const migrationSchema = schema.pick({ LANEWAY_STACK: true, LANEWAY_LOG_LEVEL: true, ...postgresSettings });

/** What it takes to bring a database to this release's schema. */
export const loadMigrationConfig = (env: Record<string, string | undefined> = process.env): MigrationConfig =>
  // As above.
  parse(migrationSchema, env) as MigrationConfig;

/** The variables that each process knows, and whether it starts without them: for whoever sets them. */
export const knownVariables = (
  process: 'worker' | 'gateway' | 'console' | 'migration',
): readonly { name: string; required: boolean }[] => {
  const schemas = {
    worker: schema,
    gateway: schema.omit(notTheGateways),
    console: schema.omit({ LANEWAY_BODY_HMAC_KEY: true }),
    migration: migrationSchema,
  };
  return Object.entries(schemas[process].shape).map(([name, setting]) => ({
    name,
    required: !setting.safeParse(undefined).success,
  }));
};

const operatorSchema = schema.pick({
  LANEWAY_STACK: true,
  LANEWAY_POSTGRES_URL: true,
  LANEWAY_REDIS_URL: true,
  LANEWAY_ACTIVATION_PARTITIONS: true,
  LANEWAY_LANE_CAP: true,
  LANEWAY_AWS_ACCOUNT: true,
});

/** What the operators' commands need to reach a system. */
export type OperatorConfig = Pick<
  Config,
  'stack' | 'postgresUrl' | 'redisUrl' | 'activationPartitions' | 'laneCap' | 'awsAccount'
>;

export const loadOperatorConfig = (env: Record<string, string | undefined> = process.env): OperatorConfig =>
  // As above.
  parse(operatorSchema, env) as OperatorConfig;

function parse(shape: z.ZodType<Record<string, unknown>>, env: Record<string, string | undefined>): object {
  const parsed = shape.safeParse(env);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new LanewayError('config.invalid', `configuration is not usable:\n  ${faults.join('\n  ')}`);
  }
  return Object.fromEntries(Object.entries(parsed.data).map(([name, value]) => [camel(name), value]));
}

/** What a setting is called where it is set. */
const variableOf = (key: string): string => Object.keys(schema.shape).find((name) => camel(name) === key) ?? key;

/** A setting that only some processes need: says which one is missing instead of failing later. */
export function required<C extends Partial<Config>, K extends keyof C & string>(config: C, key: K): NonNullable<C[K]> {
  const value = config[key];
  if (value === undefined || value === null)
    throw new LanewayError('config.invalid', `this process needs the setting ${variableOf(key)}`);
  return value;
}
