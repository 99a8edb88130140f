// test-stack
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startGateway } from '../testing/start-gateway.ts';
import { issueApiKey } from '../../core/contexts/access/writes.ts';

test('a key reaches what its scopes and the role of its user both allow, whatever the route', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const { db } = gateway.world.postgres;
  const add = async (userId: string, role: string) =>
    await gateway.call('/v1/users', { as, body: { userId, name: userId, email: `${userId}@example.com`, role } });
  for (const [userId, role] of [
    ['olga', 'owner'],
    ['max', 'manager'],
    ['ana', 'analyst'],
    ['otto', 'operator'],
  ] as const)
    assert.is((await add(userId, role)).status, 201, userId);
  const key = async (userId: string | null, scopes: string[] | null) =>
    (await issueApiKey(db, { merchantId: 'shop-1', label: 'x', userId, scopes }, gateway.clock.now())).key;
  const post = { method: 'POST', body: {} };
  const cases: [string, string | null, string[] | null, string, object, boolean][] = [
    ['an owner', 'olga', null, '/v1/users', {}, true],
    ['a manager', 'max', null, '/v1/campaigns', post, true],
    ['a manager', 'max', null, '/v1/users', post, false],
    ['an analyst', 'ana', null, '/v1/campaigns', {}, true],
    ['an analyst', 'ana', null, '/v1/campaigns', post, false],
    ['an analyst', 'ana', null, '/v1/audit-log', {}, false],
    ['an operator', 'otto', null, '/v1/campaigns', post, false],
    ['a key for products', null, ['products:read'], '/v1/products', {}, true],
    ['a key for products', null, ['products:read'], '/v1/campaigns', {}, false],
    ['a key for products', null, ['products:read'], '/v1/nothing-here', {}, false],
    ['a key that may write only', null, ['campaigns:write'], '/v1/campaigns', {}, false],
    ['a key for all reading', null, ['*:read'], '/v1/audit-log', {}, true],
    ['an analyst with a key for everything', 'ana', ['*'], '/v1/campaigns', post, false],
  ];
  for (const [who, userId, scopes, path, call, allowed] of cases) {
    const answer = await gateway.call(path, { as: await key(userId, scopes), ...call });
    assert.is(answer.status !== 403, allowed, `${who} at ${path}: ${answer.status}`);
    if (!allowed) assert.is(JSON.parse(answer.text).code, 'access.forbidden');
  }
});

test('nobody gives away more than they hold', async () => {
  await using gateway = await startGateway();
  await gateway.addMerchant('shop-1');
  const { db } = gateway.world.postgres;
  const limited = { merchantId: 'shop-1', label: 'x', scopes: ['access:*', 'campaigns:read'] };
  const { key: as } = await issueApiKey(db, limited, gateway.clock.now());
  const { keyId: powerful } = await issueApiKey(db, { merchantId: 'shop-1', label: 'y' }, gateway.clock.now());
  const ask = async (path: string, body: object) => (await gateway.call(path, { as, body })).status;
  assert.is(await ask('/v1/api-keys', { label: 'a', scopes: ['campaigns:read'] }), 201);
  assert.is(await ask('/v1/api-keys', { label: 'a', scopes: ['campaigns:*'] }), 403);
  assert.is(await ask('/v1/api-keys', { label: 'a', scopes: ['*'] }), 403);
  assert.is(await ask(`/v1/api-keys/${powerful}/rotate`, {}), 403);
  assert.is(await ask('/v1/users', { userId: 'eve', name: 'Eve', email: 'eve@example.com', role: 'owner' }), 403);
});

test.run();
