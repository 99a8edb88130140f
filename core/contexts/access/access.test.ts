import { type Kysely, type Transaction, sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { principalOfApiKey } from './reads.ts';
import { createApiKey, createMerchant, issueApiKey, revokeApiKey } from './writes.ts';
import type { Database } from '../../database/tables.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { waitFor } from '../../testing/wait-for.ts';
import { createWorld } from '../../testing/world.ts';

const NOW = Date.parse('2026-11-23T12:00:00.000Z');

/** The gateway's role may ask whose key it is, and see nothing of the tables behind the answer. */
const asGateway = <T>(db: Kysely<Database>, work: (trx: Kysely<Database>) => Promise<T>) =>
  db.transaction().execute(async (trx) => {
    await sql`set local role laneway_gateway`.execute(trx);
    return await work(trx);
  });

test('a key names its merchant, and the database keeps no key', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  await createMerchant(db, { merchantId: 'shop-1', name: 'Shop' }, NOW);
  const key = await createApiKey(db, { merchantId: 'shop-1', label: 'test' }, NOW);
  assert.match(key, /^lw_[A-Za-z0-9_-]{43}$/);
  assert.is(await asGateway(db, async (trx) => (await principalOfApiKey(trx, key))?.merchantId), 'shop-1');
  assert.is(await asGateway(db, (trx) => principalOfApiKey(trx, `${key}x`)), undefined);
  const { rows } = await sql<{ row: string }>`select to_jsonb(k)::text as row from api_keys k`.execute(db);
  assert.is(rows.length, 1);
  assert.not(rows[0]?.row.includes(key.slice(3)));
  const peek = await asGateway(db, (trx) => sql`select * from api_keys`.execute(trx)).catch((error: unknown) => error);
  assert.match(String(peek), 'permission denied');
});

test('an expired key is nobody’s', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  await createMerchant(db, { merchantId: 'shop-1', name: 'Shop' }, NOW);
  const expired = { merchantId: 'shop-1', label: 'old', expiresAt: new Date('2001-01-01T00:00:00.000Z') };
  assert.is(await principalOfApiKey(db, await createApiKey(db, expired, NOW)), undefined);
});

test('a merchant that exists is renamed, and its keys stay', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  await createMerchant(db, { merchantId: 'shop-1', name: 'Shop' }, NOW);
  const key = await createApiKey(db, { merchantId: 'shop-1', label: 'test' }, NOW);
  await createMerchant(db, { merchantId: 'shop-1', name: 'Shop & Co' }, NOW);
  assert.is((await principalOfApiKey(db, key))?.merchantId, 'shop-1');
  const merchants = await db.selectFrom('merchants').select('name').execute();
  assert.equal(merchants, [{ name: 'Shop & Co' }]);
});

test('of two keys that can do everything, whoever revokes both at once keeps one', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  await createMerchant(db, { merchantId: 'shop-1', name: 'Shop' }, NOW);
  const [one, other] = [
    await issueApiKey(db, { merchantId: 'shop-1', label: 'one' }, NOW),
    await issueApiKey(db, { merchantId: 'shop-1', label: 'other' }, NOW),
  ];
  const revoke = (trx: Transaction<Database>, keyId: string) =>
    revokeApiKey(trx, { merchantId: 'shop-1', keyId }, NOW).then(
      () => 'revoked',
      (error: unknown) => (error instanceof LanewayError ? error.code : error),
    );
  let later: Promise<unknown> | undefined;
  let ended = false;
  const earlier = await db.transaction().execute(async (trx) => {
    const said = await revoke(trx, one.keyId);
    later = db
      .transaction()
      .execute((second) => revoke(second, other.keyId))
      .finally(() => (ended = true));
    await waitFor('the later one to wait, or not to', async () => {
      const { rows } = await sql`select from pg_locks where not granted and locktype = 'advisory'`.execute(db);
      return ended || rows.length > 0;
    });
    return said;
  });
  assert.equal([earlier, await later], ['revoked', 'access.last_key']);
});

test.run();
