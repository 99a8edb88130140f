import * as secretsmanager from '@pulumi/aws/secretsmanager/index.js';
import * as pulumi from '@pulumi/pulumi';
import type { Cache } from './cache.ts';
import { Component, type Shared } from './component.ts';
import type { Keys } from './keys.ts';
import { ports } from './security-groups.ts';

type NeededSecret =
  'redisUrl' | 'bodyHmacKey' | 'masterKeys' | 'opsPassword' | 'corePlatformSecret' | 'adNetworkCredentials';
/** Only where there is a payment provider. */
type OptionalSecret = 'paymentToken';
export type SecretName = NeededSecret | OptionalSecret;
export type SecretReferences = Readonly<
  Record<NeededSecret, SecretReference> & Record<OptionalSecret, SecretReference | undefined>
>;

/** A secret as a container is given it: by reference to one version, so that changing it rolls the service. */
export interface SecretReference {
  arn: pulumi.Output<string>;
  /** `valueFrom` of a container's secret. */
  valueFrom: pulumi.Output<string>;
}

/**
 * What processes must know and nobody may read. Set with `pulumi config set --secret`; a new value becomes a new version and,
 * with the next `pulumi up`, new tasks. The database has no password for them: they sign in by IAM, and RDS rotates the
 * owner's.
 */
export class Secrets extends Component {
  readonly references: SecretReferences;

  constructor(name: string, { settings }: Shared, keys: Keys, cache: Cache, options?: pulumi.ComponentResourceOptions) {
    super('Secrets', name, options);
    const { stack, secrets, size } = settings;
    const { paymentToken } = settings.optionalSecrets;
    const declare = (secretName: string, value: pulumi.Output<string>, description: string): SecretReference => {
      const secret = new secretsmanager.Secret(
        `${name}-${secretName}`,
        {
          name: `${stack}/${secretName}`,
          description,
          kmsKeyId: keys.data.arn,
          recoveryWindowInDays: size.protectsData ? 30 : 7,
        },
        this.own,
      );
      const version = new secretsmanager.SecretVersion(
        `${name}-${secretName}`,
        { secretId: secret.id, secretString: value },
        this.own,
      );
      return { arn: secret.arn, valueFrom: pulumi.interpolate`${secret.arn}:::${version.versionId}` };
    };
    const redisUrl = pulumi.secret(
      pulumi.interpolate`rediss://:${secrets.redisAuthToken}@${cache.group.primaryEndpointAddress}:${ports.redis}`,
    );
    this.references = {
      redisUrl: declare('redis-url', redisUrl, 'where Redis is, with its token'),
      bodyHmacKey: declare('body-hmac-key', secrets.bodyHmacKey, 'tells a duplicate from a conflict'),
      masterKeys: declare('master-keys', secrets.masterKeys, 'wrap the keys of merchants and people'),
      opsPassword: declare(
        'ops-password',
        secrets.opsPassword,
        "the console's own login, behind the identity provider",
      ),
      corePlatformSecret: declare(
        'core-platform-secret',
        secrets.corePlatformSecret,
        'signs what the core platform sends',
      ),
      adNetworkCredentials: declare(
        'ad-network-credentials',
        secrets.adNetworkCredentials,
        'what ad networks know us by',
      ),
      paymentToken:
        paymentToken === undefined
          ? undefined
          : declare('payment-token', paymentToken, 'what the payment provider knows us by'),
    };
    this.registerOutputs();
  }
}
