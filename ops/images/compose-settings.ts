import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Secrets } from '../local/secrets.ts';

/** Ports of the endpoints that stand for AWS and for ad networks, as compose.yaml has them. */
export const composePorts = { aws: 4566, dynamodb: 4567, networks: 4568, prepared: 4569, postgres: 5432 };

const random = (bytes = 24): string => randomBytes(bytes).toString('base64url');

/** What compose.yaml takes from `.env`, made anew: passwords of one machine, which belong into no repository. */
export const newComposeSettings = (): Record<string, string> => ({
  SUPERUSER_PASSWORD: random(),
  WORKER_PASSWORD: random(),
  GATEWAY_PASSWORD: random(),
  READER_PASSWORD: random(),
  OPERATOR_PASSWORD: random(),
  BODY_HMAC_KEY: random(),
  MASTER_KEY: randomBytes(32).toString('base64'),
  CORE_PLATFORM_SECRET: random(),
  AD_NETWORK_TOKEN: random(),
  OPS_PASSWORD: random(),
});

const schema = z.object({
  SUPERUSER_PASSWORD: z.string().min(16),
  WORKER_PASSWORD: z.string().min(16),
  GATEWAY_PASSWORD: z.string().min(16),
  READER_PASSWORD: z.string().min(16),
  OPERATOR_PASSWORD: z.string().min(16),
  BODY_HMAC_KEY: z.string().min(16),
  MASTER_KEY: z.base64(),
  CORE_PLATFORM_SECRET: z.string().min(16),
  AD_NETWORK_TOKEN: z.string().min(16),
  OPS_PASSWORD: z.string().min(8),
});

/** The same settings as the local stack knows its secrets. Throws when one is missing. */
export function readComposeSecrets(settings: Readonly<Record<string, string | undefined>>): Secrets {
  const given = schema.parse(settings);
  return {
    superuserPassword: given.SUPERUSER_PASSWORD,
    workerPassword: given.WORKER_PASSWORD,
    gatewayPassword: given.GATEWAY_PASSWORD,
    readerPassword: given.READER_PASSWORD,
    operatorPassword: given.OPERATOR_PASSWORD,
    bodyHmacKey: given.BODY_HMAC_KEY,
    masterKey: given.MASTER_KEY,
    corePlatformSecret: given.CORE_PLATFORM_SECRET,
    adNetworkToken: given.AD_NETWORK_TOKEN,
    opsPassword: given.OPS_PASSWORD,
    apiKeys: {},
  };
}
