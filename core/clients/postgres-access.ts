import { Signer } from '@aws-sdk/rds-signer';
import type pg from 'pg';
import type { Config } from '../runtime/config.ts';

/** How a process signs in to Postgres where its URL has no password, and whom it trusts to be Postgres. */
export interface PostgresAccess {
  password?: string;
  /** Sign in with tokens of IAM, valid for fifteen minutes: each new connection asks for one. */
  iam?: { region: string; credentials?: { accessKeyId: string; secretAccessKey: string } };
  /** PEM. Makes TLS and a certificate that these authorities signed a condition. */
  ca?: string;
}

export const postgresAccess = (
  config: Pick<Config, 'postgresPassword' | 'postgresIam' | 'postgresCa' | 'awsRegion'>,
): PostgresAccess => ({
  ...(config.postgresPassword === undefined ? {} : { password: config.postgresPassword }),
  ...(config.postgresIam ? { iam: { region: config.awsRegion } } : {}),
  ...(config.postgresCa === undefined ? {} : { ca: config.postgresCa }),
});

/**
 * Options of a pool. A connection string wins over every other option of pg, so it is taken apart where something beside it
 * counts.
 */
export function connectionOptions(url: string, access: PostgresAccess = {}): pg.PoolConfig {
  const { password, iam, ca } = access;
  if (password === undefined && iam === undefined && ca === undefined) return { connectionString: url };
  const parsed = new URL(url);
  const address = {
    host: parsed.hostname,
    port: Number(parsed.port === '' ? 5432 : parsed.port),
    user: decodeURIComponent(parsed.username),
    database: decodeURIComponent(parsed.pathname.slice(1)),
  };
  return {
    ...address,
    password: iam === undefined ? (password ?? decodeURIComponent(parsed.password)) : tokens(address, iam),
    // Tokens are as good as passwords: they never travel unencrypted.
    ...(ca === undefined && iam === undefined ? {} : { ssl: { rejectUnauthorized: true, ...(ca ? { ca } : {}) } }),
  };
}

const tokens = (
  { host, port, user }: { host: string; port: number; user: string },
  iam: NonNullable<PostgresAccess['iam']>,
) => {
  const signer = new Signer({ hostname: host, port, username: user, ...iam });
  return () => signer.getAuthToken();
};
