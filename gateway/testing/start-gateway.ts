import { createHmac } from 'node:crypto';
import type { OpenAPIHono } from '@hono/zod-openapi';
import { createApp } from '../app.ts';
import type { GatewayEnv } from '../context.ts';
import { type Postgres, connectPostgres } from '../../core/clients/postgres.ts';
import { createApiKey, createMerchant } from '../../core/contexts/access/writes.ts';
import { registry } from '../../core/events/registry.ts';
import { type Clock, systemClock } from '../../core/runtime/clock.ts';
import { silentLog } from '../../core/runtime/log.ts';
import { testKeyring } from '../../core/testing/keyring.ts';
import { type World, createWorld } from '../../core/testing/world.ts';

export const corePlatformSecret = 'the secret of the core platform';

export interface Call {
  /** An API key. */
  as?: string;
  method?: string;
  /** Sent as JSON. */
  body?: unknown;
  headers?: Record<string, string>;
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
}

export interface Gateway extends AsyncDisposable {
  world: World;
  /** The pool of the gateway, under its own role. */
  postgres: Postgres;
  app: OpenAPIHono<GatewayEnv>;
  clock: Clock & { advance(ms: number): void };
  /** Makes the merchant and gives an API key of its. */
  addMerchant(merchantId: string): Promise<string>;
  call(path: string, call?: Call): Promise<Answer>;
}

/** The gateway on a database of its own, as role `laneway_gateway`, without a port. */
export async function startGateway({ requestDeadlineMs = 10_000, lockTimeoutMs = 3_000 } = {}): Promise<Gateway> {
  const world = await createWorld();
  const postgres = connectPostgres({
    url: asGatewayRole(world.postgresUrl),
    poolSize: 5,
    applicationName: 'gateway-test',
    statementTimeoutMs: 10_000,
    idleInTransactionTimeoutMs: 5_000,
    lockTimeoutMs,
  });
  let ahead = 0;
  const clock = {
    ...systemClock,
    now: () => systemClock.now() + ahead,
    advance: (ms: number) => void (ahead += ms),
  };
  const { db } = postgres;
  const state = () => 'ready' as const;
  const app = createApp({
    db,
    registry,
    clock,
    log: silentLog,
    keyring: testKeyring,
    corePlatformSecret,
    requestDeadlineMs,
    webhookLoopback: false,
    state,
  });
  return {
    world,
    postgres,
    app,
    clock,
    async addMerchant(merchantId) {
      await createMerchant(world.postgres.db, { merchantId, name: merchantId }, clock.now());
      return await createApiKey(world.postgres.db, { merchantId, label: 'test' }, clock.now());
    },
    call: (path, call) => callApp(app, path, call),
    async [Symbol.asyncDispose]() {
      await postgres.close();
      await world[Symbol.asyncDispose]();
    },
  };
}

/** The role without its password, which tests do not know: the superuser's connection takes it on. */
export function asGatewayRole(superuserUrl: string): string {
  const url = new URL(superuserUrl);
  url.searchParams.set('options', '-c role=laneway_gateway');
  return url.toString();
}

export async function callApp(
  app: OpenAPIHono<GatewayEnv>,
  path: string,
  { as, method, body, headers = {} }: Call = {},
): Promise<Answer> {
  const response = await app.request(path, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      ...(as === undefined ? {} : { authorization: `Bearer ${as}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** Signs as the core platform's documentation says, without the gateway's code. */
export function signed(
  body: unknown,
  atMs: number,
  secret = corePlatformSecret,
): Required<Pick<Call, 'body' | 'headers'>> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const timestamp = String(Math.floor(atMs / 1_000));
  const signature = createHmac('sha256', secret).update(`${timestamp}.${text}`).digest('hex');
  return { body: text, headers: { 'x-laneway-timestamp': timestamp, 'x-laneway-signature': `v1=${signature}` } };
}
