import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { knownVariables, loadConfig, loadGatewayConfig, loadMigrationConfig, required } from './config.ts';

const least = {
  LANEWAY_POSTGRES_URL: 'postgres://localhost/x',
  LANEWAY_REDIS_URL: 'redis://localhost',
  AWS_REGION: 'eu-central-1',
  LANEWAY_BODY_HMAC_KEY: 'x'.repeat(32),
  LANEWAY_MASTER_KEYS: `test:${Buffer.alloc(32, 7).toString('base64')}`,
};

test('settings have the names of their variables and documented defaults', () => {
  const config = loadConfig({ ...least, LANEWAY_WINDOW_EVENTS: '20', LANEWAY_BULL_BOARD_WRITABLE: 'false' });
  assert.is(config.windowEvents, 20);
  assert.is(config.leaseMs, 30_000);
  assert.is(config.stack, 'laneway');
  assert.is(config.awsRegion, 'eu-central-1');
  assert.is(config.bullBoardWritable, false);
});

test('every faulty variable is named at once', () => {
  assert.throws(
    () =>
      loadConfig({ ...least, LANEWAY_POSTGRES_URL: undefined, LANEWAY_LEASE_MS: 'soon', LANEWAY_STACK: 'Not Legal' }),
    (error: Error) =>
      ['LANEWAY_POSTGRES_URL', 'LANEWAY_LEASE_MS', 'LANEWAY_STACK'].every((name) => error.message.includes(name)),
  );
});

test('limits of destinations are read as JSON, and a fault in them is named', () => {
  const limits = { 'ad-network:meta': { quota: [{ calls: 600, perMs: 60_000 }], concurrency: 4 } };
  const read = (text: string) => loadConfig({ ...least, LANEWAY_DESTINATION_LIMITS: text }).destinationLimits;
  assert.equal(read(JSON.stringify(limits)), limits);
  assert.equal(loadConfig(least).destinationLimits, {});
  assert.throws(() => read('{'), /LANEWAY_DESTINATION_LIMITS: is not JSON/);
  assert.throws(() => read('{"mail":{"quota":[{"calls":1,"perMs":1000}],"concurrency":1}}'), /mail.quota.0.calls/);
});

test('a process is asked only for what it needs: the gateway for no Redis, migrations for no key either', () => {
  const { LANEWAY_POSTGRES_URL, AWS_REGION, LANEWAY_BODY_HMAC_KEY } = least;
  const gateway = loadGatewayConfig({ LANEWAY_POSTGRES_URL, AWS_REGION, LANEWAY_BODY_HMAC_KEY });
  assert.not('redisUrl' in gateway);
  assert.is(loadMigrationConfig({ LANEWAY_POSTGRES_URL, AWS_REGION }).postgresIam, false);
  const required = knownVariables('gateway').filter((variable) => variable.required);
  assert.equal(required.map(({ name }) => name).toSorted(), [
    'AWS_REGION',
    'LANEWAY_BODY_HMAC_KEY',
    'LANEWAY_POSTGRES_URL',
  ]);
});

test('a number is whole and within its bounds, and nothing is no number', () => {
  assert.is(loadConfig({ ...least, LANEWAY_POLL_WAIT_SECONDS: '0' }).pollWaitSeconds, 0);
  const numbers = ['LANEWAY_POLL_WAIT_SECONDS', 'LANEWAY_PORT', 'LANEWAY_LEASE_MS', 'LANEWAY_ACTORS'];
  for (const name of numbers)
    for (const text of ['', ' ', '-1', '1.5', '1e99', 'ten'])
      assert.throws(() => loadConfig({ ...least, [name]: text }), new RegExp(`\n {2}${name}: `), `${name}=${text}`);
});

test('a setting that a process cannot do without is asked for by the name of its variable', () => {
  assert.throws(() => required(loadConfig(least), 'adNetworkUrl'), /needs the setting LANEWAY_AD_NETWORK_URL$/);
  assert.throws(() => required(loadConfig(least), 'opsUser'), /needs the setting LANEWAY_OPS_USER$/);
});

test.run();
