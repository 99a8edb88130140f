// test-stack
import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { searchPostgres } from '../../core/testing/search-stores.ts';
import { startGateway } from '../testing/start-gateway.ts';
import { exportAuditLog } from '../../core/contexts/access/export-audit-log.ts';
import { silentLog } from '../../core/runtime/log.ts';

const HOUR = 3_600_000;

test('a rotated key works beside its successor until the overlap ends; a revoked one and a disabled user’s end at once', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const made = await gateway.call('/v1/api-keys', { as, body: { label: 'crm', scopes: ['products:read'] } });
  assert.is(made.status, 201);
  const old = JSON.parse(made.text);
  const rotated = JSON.parse(
    (await gateway.call(`/v1/api-keys/${old.keyId}/rotate`, { as, body: { overlapHours: 1 } })).text,
  );
  const statusOf = async (key: string) => {
    gateway.clock.advance(30_000);
    return (await gateway.call('/v1/products', { as: key })).status;
  };
  assert.equal([await statusOf(old.key), await statusOf(rotated.key)], [200, 200]);
  assert.is((await gateway.call(`/v1/api-keys/${old.keyId}/rotate`, { as, body: {} })).status, 404);
  const listed = JSON.parse((await gateway.call('/v1/api-keys', { as })).text).keys;
  const shown = listed.find((key: { keyId: string }) => key.keyId === old.keyId);
  assert.equal([shown.shown, shown.replacedBy], [old.key.slice(0, 11), rotated.keyId]);
  assert.ok(Math.abs(Date.parse(shown.expiresAt) - (gateway.clock.now() + HOUR)) < 5 * 60_000);
  assert.not.match(JSON.stringify(listed), old.key);
  await sql`update api_keys set expires_at = now() - interval '1 s' where key_id = ${old.keyId}`.execute(
    gateway.world.postgres.db,
  );
  assert.equal([await statusOf(old.key), await statusOf(rotated.key)], [401, 200]);
  assert.is((await gateway.call(`/v1/api-keys/${rotated.keyId}`, { as, method: 'DELETE' })).status, 204);
  assert.is(await statusOf(rotated.key), 401);

  await gateway.call('/v1/users', {
    as,
    body: { userId: 'ana', name: 'Ana', email: 'ana@example.com', role: 'analyst' },
  });
  const hers = JSON.parse(
    (await gateway.call('/v1/api-keys', { as, body: { label: 'ana', scopes: ['products:read'], userId: 'ana' } })).text,
  );
  assert.is(await statusOf(hers.key), 200);
  assert.is((await gateway.call('/v1/users/ana', { as, method: 'PATCH', body: { disabled: true } })).status, 200);
  assert.is(await statusOf(hers.key), 401);
});

test('every change is recorded by whoever made it; the record only grows, and reaches the log stream once', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const other = await gateway.addMerchant('shop-2');
  const headers = { 'x-correlation-id': 'cor-1' };
  await gateway.call('/v1/users', {
    as,
    headers,
    body: { userId: 'ana', name: 'Ana Ruiz', email: 'ana@example.com', role: 'analyst' },
  });
  await gateway.call('/v1/users/ana', { as, headers, method: 'PATCH', body: { role: 'manager' } });
  await gateway.call('/v1/campaigns', {
    as,
    headers,
    body: { name: 'Sale', adNetworkIds: ['meta'], dailyBudgetMinor: 500, currency: 'EUR', state: 'draft' },
  });
  const refused = await gateway.call('/v1/users', {
    as,
    body: { userId: 'ana', name: 'x', email: 'x@example.com', role: 'analyst' },
  });
  assert.is(refused.status, 409);
  const { entries } = JSON.parse((await gateway.call('/v1/audit-log', { as })).text);
  assert.equal(
    entries.map(({ actor, action, before, after, correlationId }: Record<string, unknown>) => [
      String(actor).replace(/key-.*/, 'key-…'),
      action,
      before,
      after,
      correlationId,
    ]),
    [
      ['key:key-…', 'POST /v1/campaigns', null, null, 'cor-1'],
      ['key:key-…', 'user.changed', { role: 'analyst', disabled: false }, { role: 'manager' }, 'cor-1'],
      ['key:key-…', 'user.added', null, { role: 'analyst' }, 'cor-1'],
    ],
  );
  assert.not.match(JSON.stringify(entries), /Ruiz|example\.com/);
  assert.equal(JSON.parse((await gateway.call('/v1/audit-log', { as: other })).text).entries, []);

  const { db } = gateway.world.postgres;
  for (const change of [sql`update audit_log set actor = 'x'`, sql`delete from audit_log`, sql`truncate audit_log`]) {
    const error = await change.execute(db).catch((thrown: unknown) => thrown);
    assert.match(String(error), /refused: it only grows/);
  }
  const lines: string[] = [];
  const log = Object.assign(Object.create(silentLog), {
    info: (message: string, fields: { action: string }) => lines.push(`${message} ${fields.action}`),
  });
  assert.is(await exportAuditLog(db, log), 3);
  assert.is(await exportAuditLog(db, log), 0);
  assert.equal(lines, ['audit user.added', 'audit user.changed', 'audit POST /v1/campaigns']);
});

test('an account keeps an owner, and the database keeps no name or address that a reader could read', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const olga = { userId: 'olga', name: 'Olga Owner', email: 'olga@example.com', role: 'owner' };
  assert.is((await gateway.call('/v1/users', { as, body: olga })).status, 201);
  const demoted = await gateway.call('/v1/users/olga', { as, method: 'PATCH', body: { role: 'analyst' } });
  assert.equal([demoted.status, JSON.parse(demoted.text).code], [409, 'access.last_owner']);
  const { rows } = await sql<{
    row: string;
  }>`select u::text || encode(email, 'escape') as row from users u`.execute(gateway.world.postgres.db);
  assert.is(rows.length, 1);
  assert.not.match(rows[0]?.row ?? '', /Olga|example/);
  const read = async () => JSON.parse((await gateway.call('/v1/users', { as })).text).users[0];
  assert.equal((await read()).email, 'olga@example.com');
  const erased = await gateway.call('/v1/erasures', { as, body: { userId: 'olga' } });
  assert.equal([erased.status, JSON.parse(erased.text)], [202, { keysDestroyed: 1 }]);
  const { name, email, role } = await read();
  assert.equal([name, email, role], [null, null, 'owner']);
});

test('an account keeps a key that can do everything', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const make = async (body: Record<string, unknown>, key = as): Promise<{ keyId: string; key: string }> =>
    JSON.parse((await gateway.call('/v1/api-keys', { as: key, body: { label: 'x', scopes: ['*'], ...body } })).text);
  const revoke = async (keyId: string, key = as) => {
    const answer = await gateway.call(`/v1/api-keys/${keyId}`, { as: key, method: 'DELETE' });
    return answer.status === 204 ? 204 : [answer.status, JSON.parse(answer.text).code];
  };
  const { keys } = JSON.parse((await gateway.call('/v1/api-keys', { as })).text);
  const first: string = keys[0].keyId;
  const last = [409, 'access.last_key'];
  await gateway.call('/v1/users', { as, body: { userId: 'ana', name: 'Ana', email: 'a@x.example', role: 'manager' } });
  const limited = await make({ scopes: ['access:*'] });
  await make({ userId: 'ana' });
  const expired = await make({ expiresInDays: 1 });
  await sql`update api_keys set expires_at = now() - interval '1 s' where key_id = ${expired.keyId}`.execute(
    gateway.world.postgres.db,
  );
  assert.equal(await revoke(first), last, 'a limited, a manager’s and an expired key are no way back');
  assert.is((await gateway.call('/v1/products', { as })).status, 200);
  assert.equal([await revoke(limited.keyId), await revoke(expired.keyId)], [204, 204]);
  assert.equal(await revoke('none'), [404, 'resource.not_found']);

  const { keyId, key } = JSON.parse(
    (await gateway.call(`/v1/api-keys/${first}/rotate`, { as, body: { overlapHours: 1 } })).text,
  );
  assert.equal(await revoke(keyId), last, 'the one that it replaced is about to end');
  assert.is(await revoke(first, key), 204);

  for (const userId of ['olga', 'omar'])
    await gateway.call('/v1/users', { as: key, body: { userId, name: 'O', email: 'o@x.example', role: 'owner' } });
  const olgas = await make({ userId: 'olga' }, key);
  assert.is(await revoke(keyId, key), 204);
  const disabled = await gateway.call('/v1/users/olga', { as: olgas.key, method: 'PATCH', body: { disabled: true } });
  assert.equal([disabled.status, JSON.parse(disabled.text).code], last);
});

test('an affiliate keeps no name of the customer that it is; one from an earlier release, until the customer is erased', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const { db } = gateway.world.postgres;
  const body = { name: 'The blog', commissionPpm: 50_000, customerRef: 'customer-77' };
  const saved = await gateway.call('/v1/affiliates/blog', { as, method: 'PUT', body });
  assert.is(saved.status, 204);
  assert.equal(await searchPostgres(db, 'customer-77'), []);
  await sql`
    insert into affiliates (merchant_id, affiliate_id, name, commission_ppm, customer_ref, updated_at)
    select merchant_id, 'old', 'The blog', 1, case merchant_id when 'shop-1' then 'customer-77' else 'customer-78' end, now()
    from unnest(array['shop-1', 'shop-2']) merchant_id
  `.execute(db);
  assert.equal(await searchPostgres(db, 'customer-77'), ['affiliates']);
  const erased = await gateway.call('/v1/erasures', { as, body: { personId: 'customer-77' } });
  assert.is(erased.status, 202);
  assert.equal(await searchPostgres(db, 'customer-77'), []);
  assert.equal(await searchPostgres(db, 'customer-78'), ['affiliates']);
  const rows = await db
    .selectFrom('affiliates')
    .select('customer_subject')
    .where('merchant_id', '=', 'shop-1')
    .execute();
  assert.equal(rows.length, 2);
  assert.equal(rows[0], rows[1]);
});

test.run();
