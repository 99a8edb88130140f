import * as pulumi from '@pulumi/pulumi';
import { z } from 'zod';
import { type Size, sizes } from './sizes.ts';

/**
 * Every setting of a stack, from `Pulumi.<stack>.yaml`. What differs only in size between dev, staging and production is in
 * sizes.ts; here is what differs between owners.
 */
const plain = z.strictObject({
  /** The only account this program touches: the provider refuses every other. */
  accountId: z.string().regex(/^\d{12}$/),
  /** The gateway's name; the console is `console.` before it. */
  domain: z.string().regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/),
  /** The public Route 53 zone that holds `domain` and `mailDomain`. */
  hostedZoneId: z.string().regex(/^Z[A-Z0-9]+$/),
  /** From which notifications are sent. */
  mailDomain: z.string().regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/),
  /** Tag of both images, as pushed; repositories take a tag once. `none` before the first: nothing that runs images is made. */
  release: z.string().regex(/^[A-Za-z0-9_.-]{1,100}$/),
  /** Where alarms of the teams go. Each confirms by mail once. */
  operationsEmail: z.email(),
  developmentEmail: z.email(),
  /** An alarm at 80 % of it, spent or foreseen. */
  monthlyBudgetUsd: z.coerce.number().int().positive(),
  /** Who logs in operators before they reach the console. */
  oidcIssuer: z.url({ protocol: /^https$/ }),
  oidcAuthorizationEndpoint: z.url({ protocol: /^https$/ }),
  oidcTokenEndpoint: z.url({ protocol: /^https$/ }),
  oidcUserInfoEndpoint: z.url({ protocol: /^https$/ }),
  oidcClientId: z.string().min(1),
  /**
   * PEM of the authorities that sign the database's certificate: the region's RDS bundle. The bundle of all regions is larger
   * than a task definition may be.
   */
  databaseCaBundle: z.string().includes('BEGIN CERTIFICATE').max(20_000),
  /** Addresses of the VPC, a /16. */
  vpcCidr: z
    .string()
    .regex(/^10\.\d{1,3}\.0\.0\/16$/)
    .default('10.40.0.0/16'),
  /** Where operators come from: the networks, VPN mostly, that may reach the console. */
  operatorCidr: z.cidrv4().default('10.0.0.0/8'),
  /** The payment provider that invoices are collected by, with the secret `paymentToken`; without it they wait. */
  paymentUrl: z.url({ protocol: /^https$/ }).optional(),
  /** The OpenTelemetry collector that runs beside each service; pin it by digest. */
  collectorImage: z.string().default('public.ecr.aws/aws-observability/aws-otel-collector:v0.49.0'),
});

export const secretNames = [
  /** Tells a duplicate from a conflict. Changing it makes redeliveries of what is in the queues look like conflicts. */
  'bodyHmacKey',
  /** Keys that wrap the keys of merchants and people, newest first: LANEWAY_MASTER_KEYS. Losing them loses what they wrap. */
  'masterKeys',
  'redisAuthToken',
  'opsPassword',
  'corePlatformSecret',
  /** JSON: what each ad network knows us by, as LANEWAY_AD_NETWORK_CREDENTIALS in core/runtime/config.ts describes. */
  'adNetworkCredentials',
  'oidcClientSecret',
] as const;
export const optionalSecretNames = ['pagerDutyEndpoint', 'opsgenieEndpoint', 'paymentToken'] as const;

/** The release of a stack whose repositories are still empty. */
export const noRelease = 'none';

export type Environment = keyof typeof sizes;

export interface Settings extends z.infer<typeof plain> {
  environment: Environment;
  size: Size;
  region: string;
  /** Three availability zones of the region. */
  zones: readonly string[];
  /** Prefix of every physical name: `laneway-<environment>`. */
  stack: string;
  secrets: Readonly<Record<(typeof secretNames)[number], pulumi.Output<string>>>;
  optionalSecrets: Readonly<Partial<Record<(typeof optionalSecretNames)[number], pulumi.Output<string>>>>;
}

/** Reads the stack's configuration. Throws a RunError that names every setting that is missing, wrong or unknown. */
export function readSettings(): Settings {
  const environment = environmentOf(pulumi.getStack());
  const config = new pulumi.Config('laneway');
  const region = new pulumi.Config('aws').require('region');
  const known = new Set<string>([...secretNames, ...optionalSecretNames]);
  const given = Object.keys(pulumi.runtime.allConfig())
    .filter((key) => key.startsWith('laneway:'))
    .map((key) => key.slice('laneway:'.length));
  const parsed = plain.safeParse(
    Object.fromEntries(given.filter((key) => !known.has(key)).map((key) => [key, config.get(key)])),
  );
  const missing = secretNames.filter((name) => config.get(name) === undefined);
  const unpaid = (config.get('paymentUrl') === undefined) !== (config.get('paymentToken') === undefined);
  if (!parsed.success || missing.length > 0 || unpaid) {
    const faults = (parsed.error?.issues ?? []).map(({ path, message }) => `laneway:${path.join('.')}: ${message}`);
    if (unpaid) faults.push('laneway:paymentUrl and laneway:paymentToken: give both or neither');
    throw new pulumi.RunError(
      [
        'the settings of this stack are not usable; ops/pulumi/Pulumi.example.yaml has all of them:',
        ...faults.map((fault) => `  ${fault}`),
        ...missing.map((name) => `  laneway:${name} is missing: pulumi config set --secret laneway:${name} …`),
      ].join('\n'),
    );
  }
  const secret = (name: string) => config.requireSecret(name);
  const optional = optionalSecretNames.flatMap((name) =>
    config.get(name) === undefined ? [] : [[name, secret(name)] as const],
  );
  return {
    ...parsed.data,
    environment,
    size: sizes[environment],
    region,
    zones: ['a', 'b', 'c'].map((letter) => `${region}${letter}`),
    stack: `laneway-${environment}`,
    secrets: {
      bodyHmacKey: secret('bodyHmacKey'),
      masterKeys: secret('masterKeys'),
      redisAuthToken: secret('redisAuthToken'),
      opsPassword: secret('opsPassword'),
      corePlatformSecret: secret('corePlatformSecret'),
      adNetworkCredentials: secret('adNetworkCredentials'),
      oidcClientSecret: secret('oidcClientSecret'),
    },
    optionalSecrets: Object.fromEntries(optional),
  };
}

function environmentOf(stack: string): Environment {
  switch (stack) {
    case 'dev':
    case 'staging':
    case 'production':
      return stack;
    default:
      throw new pulumi.RunError(
        `there is no stack "${stack}": take dev, staging or production (pulumi stack select production)`,
      );
  }
}
