import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadConfig, required } from './config.ts';

const least = {
  LANEWAY_POSTGRES_URL: 'postgres://localhost/x',
  LANEWAY_REDIS_URL: 'redis://localhost',
  AWS_REGION: 'eu-central-1',
  LANEWAY_BODY_HMAC_KEY: 'x'.repeat(32),
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

test('a setting that a process cannot do without is asked for by name', () => {
  assert.throws(() => required(loadConfig(least), 'adNetworkUrl'), /adNetworkUrl/);
});

test.run();
