import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadConfig } from '../../core/runtime/config.ts';
import {
  consoleEnvironment,
  gatewayEnvironment,
  inheritedEnvironment,
  workerEnvironment,
} from './process-environment.ts';

const stack = {
  addresses: {
    redisUrl: 'redis://127.0.0.1:1',
    emulatorEndpoint: 'http://127.0.0.1:2',
    dynamodbEndpoint: 'http://127.0.0.1:3',
    networksUrl: 'http://127.0.0.1:4',
    databaseUrl: (role: string) => `postgres://${role}:x@127.0.0.1:5/laneway`,
  },
  secrets: {
    superuserPassword: 'superuser-password',
    workerPassword: 'worker-password-x',
    gatewayPassword: 'gateway-password-x',
    readerPassword: 'reader-password-x',
    operatorPassword: 'operator-password-x',
    bodyHmacKey: 'body-hmac-key-of-24-bytes',
    masterKey: Buffer.alloc(32).toString('base64'),
    corePlatformSecret: 'core-platform-secret',
    adNetworkToken: 'ad-network-token-x',
    opsPassword: 'ops-password',
    apiKeys: {},
  },
};

test("what somebody's shell says about AWS or Laneway does not reach the stack", () => {
  const env = inheritedEnvironment({
    PATH: '/bin',
    HOME: '/home/x',
    AWS_PROFILE: 'production',
    AWS_ACCESS_KEY_ID: 'real',
    AWS_ENDPOINT_URL: 'https://elsewhere',
    LANEWAY_POSTGRES_URL: 'postgres://production',
    LANEWAY_LOG_LEVEL: 'debug',
  });
  assert.equal(env, { PATH: '/bin', HOME: '/home/x', LANEWAY_LOG_LEVEL: 'debug' });
});

test('each process gets a configuration that it accepts, with the database role that is its own', () => {
  const worker = loadConfig(workerEnvironment(stack, 'worker-1', 2));
  assert.is(worker.postgresUrl, 'postgres://laneway_worker:x@127.0.0.1:5/laneway');
  assert.is(worker.adNetworkUrl, 'http://127.0.0.1:4');
  assert.is(worker.processName, 'worker-1');
  const gateway = loadConfig(gatewayEnvironment(stack, 8787));
  assert.is(gateway.postgresUrl, 'postgres://laneway_gateway:x@127.0.0.1:5/laneway');
  assert.equal([gateway.corePlatformSecret, gateway.port], ['core-platform-secret', 8787]);
  const opsConsole = loadConfig(consoleEnvironment(stack, 8788));
  assert.is(opsConsole.postgresUrl, 'postgres://laneway_reader:x@127.0.0.1:5/laneway');
  assert.equal([opsConsole.opsUser, opsConsole.opsPassword], ['ops', 'ops-password']);
});

test('no process gets a secret of another, and none the superuser', () => {
  const all = {
    worker: JSON.stringify(workerEnvironment(stack, 'worker-1', 2)),
    gateway: JSON.stringify(gatewayEnvironment(stack, 1)),
    console: JSON.stringify(consoleEnvironment(stack, 2)),
  };
  for (const [name, env] of Object.entries(all)) assert.not.match(env, /superuser-password/, name);
  assert.not.match(all.worker, /core-platform-secret|ops-password/);
  assert.not.match(all.gateway, /ad-network-token|ops-password/);
  assert.not.match(all.console, /ad-network-token|core-platform-secret|MASTER_KEYS/);
});

test('many workers share the connections that the database has', () => {
  const poolsOf = (workers: number) => {
    const { postgresPool, intakePool, backgroundPool } = loadConfig(workerEnvironment(stack, 'w', workers));
    return [postgresPool, intakePool, backgroundPool];
  };
  assert.equal([1, 4, 7, 14, 64].map(poolsOf), [
    [20, 5, 6],
    [20, 5, 6],
    [9, 5, 6],
    [6, 2, 2],
    [1, 1, 1],
  ]);
});

test.run();
