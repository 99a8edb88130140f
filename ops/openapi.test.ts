import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { makeOpenApi } from './openapi.ts';
import { connectPostgres } from '../core/clients/postgres.ts';
import { registry } from '../core/events/registry.ts';
import { systemClock } from '../core/runtime/clock.ts';
import { silentLog } from '../core/runtime/log.ts';
import { testKeyring } from '../core/testing/keyring.ts';
import { createApp } from '../gateway/app.ts';
import { scopeOf } from '../gateway/middleware/authorize.ts';

const committed = readFileSync(new URL('../docs/openapi.json', import.meta.url), 'utf8');
interface Operation {
  operationId?: string;
  summary?: string;
  responses: Record<string, { content?: object }>;
}
const methods = ['get', 'post', 'put', 'patch', 'delete'];

test('the committed document is what the routes declare, each time the same', async () => {
  assert.is(await makeOpenApi(), committed);
  assert.is(await makeOpenApi(), committed);
});

test('it names no server', () => {
  assert.is(JSON.parse(committed).servers, undefined);
  assert.not.match(committed, /localhost|127\.0\.0\.1/);
});

test('every route of the gateway is in it, but for the documentation itself', async () => {
  const postgres = connectPostgres({
    url: 'postgres://127.0.0.1:1/none',
    poolSize: 1,
    applicationName: 'test',
    statementTimeoutMs: 1_000,
    idleInTransactionTimeoutMs: 1_000,
  });
  const state = () => 'ready' as const;
  const app = createApp({
    db: postgres.db,
    registry,
    clock: systemClock,
    log: silentLog,
    keyring: testKeyring,
    corePlatformSecret: '',
    requestDeadlineMs: 1_000,
    webhookLoopback: false,
    state,
  });
  const served = app.routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`)
    .filter((route) => !/^GET (\/|\/openapi\.json|\/docs.*)$/.test(route));
  const paths: Record<string, object> = JSON.parse(committed).paths;
  const documented = Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item).flatMap((method) => (methods.includes(method) ? [`${method.toUpperCase()} ${path}`] : [])),
  );
  assert.equal(new Set(documented), new Set(served));
  // A route of no resource would be closed to every limited key.
  const unowned = served.filter(
    (route) => / \/v1\//.test(route) && scopeOf('GET', route.split(' ')[1] ?? '') === undefined,
  );
  assert.equal(unowned, []);
  await postgres.close();
});

test('every operation has an id, a summary and its refusals as problems', () => {
  const { paths } = JSON.parse(committed);
  for (const [path, item] of Object.entries(paths)) {
    for (const operation of operationsOf(item)) {
      assert.type(operation.operationId, 'string', path);
      assert.type(operation.summary, 'string', path);
      for (const [status, response] of Object.entries(operation.responses)) {
        if (Number(status) < 400 || path === '/readyz') continue;
        assert.equal(Object.keys(response.content ?? {}), ['application/problem+json'], `${path} ${status}`);
      }
    }
  }
});

const operationsOf = (item: unknown): Operation[] => Object.values(item as Record<string, Operation>);

test.run();
