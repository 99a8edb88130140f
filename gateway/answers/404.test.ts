import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Gateway, startGateway } from '../testing/start-gateway.ts';
import { asMerchant } from '../../core/database/transaction.ts';
import { dayOf } from '../../core/runtime/clock.ts';

const wanted = { name: 'Winter sale', adNetworkIds: ['meta'], dailyBudgetMinor: 5_000, currency: 'EUR' };
/** Tables that `twoMerchants` fills. */
const visible = [
  'accepted',
  'ad_performance',
  'campaign_network_states',
  'campaigns',
  'idempotency_keys',
  'operations',
  'outbox',
  'outbox_heads',
  'products',
  'settlements',
];

/** Merchant shop-a with one of everything, and merchant shop-b with nothing. */
async function twoMerchants(gateway: Gateway) {
  const a = await gateway.addMerchant('shop-a');
  const b = await gateway.addMerchant('shop-b');
  const headers = { 'idempotency-key': 'k-1' };
  const created = JSON.parse((await gateway.call('/v1/campaigns', { as: a, body: wanted, headers })).text);
  const { db } = gateway.world.postgres;
  const at = new Date(gateway.clock.now());
  const [merchant_id, day] = ['shop-a', dayOf(gateway.clock.now())];
  const network = { merchant_id, campaign_id: created.campaign.campaignId, ad_network_id: 'meta', desired_at: at };
  const seen = { merchant_id, mseq: 1, day, event_id: 'e' };
  await db
    .insertInto('products')
    .values({ merchant_id, product_id: 'p-1', attributes: '{}', source_at: at, updated_at: at })
    .execute();
  await db
    .insertInto('campaign_network_states')
    .values({ ...network, desired_state: 'active', desired: '{}', desired_event_id: 'e', status: 'pending' })
    .execute();
  await db
    .insertInto('ad_performance')
    .values({
      merchant_id,
      report_date: day,
      ad_network_id: 'meta',
      impressions: 1,
      clicks: 1,
      conversions: 1,
      spend_micros: 1,
      currency: 'EUR',
      source_at: at,
      source_event_id: 'e',
      updated_at: at,
    })
    .execute();
  await db
    .insertInto('accepted')
    .values({ ...seen, body_hmac: Buffer.from('x'), accepted_at: at })
    .execute();
  await db
    .insertInto('settlements')
    .values({ ...seen, handler: 'h', outcome: 'done', reason: null, settled_at: at, worker: 'w', owner: 'o' })
    .execute();
  return { a, b, campaignId: String(created.campaign.campaignId), operationId: String(created.operation.id) };
}

test("another merchant's campaign, operation and product do not exist for a merchant", async () => {
  await using gateway = await startGateway();
  const { a, b, campaignId, operationId } = await twoMerchants(gateway);
  const own: [string, unknown?][] = [
    [`/v1/campaigns/${campaignId}`],
    [`/v1/operations/${operationId}`],
    ['/v1/products/p-1'],
    [`/v1/campaigns/${campaignId}/state`, { state: 'paused' }],
  ];
  for (const [path, body] of own) {
    const theirs = await gateway.call(path, { as: b, ...(body === undefined ? {} : { body }) });
    assert.is(theirs.status, 404, path);
    const nobodys = await gateway.call(path.replace(/[^/]{3,}(?=$|\/state$)/, 'none'), {
      as: b,
      ...(body === undefined ? {} : { body }),
    });
    assert.is(nobodys.status, 404);
    assert.is(JSON.parse(theirs.text).code, JSON.parse(nobodys.text).code);
  }
  for (const [path, body] of own)
    assert.ok((await gateway.call(path, { as: a, ...(body === undefined ? {} : { body }) })).status < 300, path);
});

test('lists show the own rows only', async () => {
  await using gateway = await startGateway();
  const { a, b, campaignId } = await twoMerchants(gateway);
  const ids = async (as: string) => {
    const { campaigns } = JSON.parse((await gateway.call('/v1/campaigns', { as })).text);
    const { products } = JSON.parse((await gateway.call('/v1/products', { as })).text);
    return [
      ...campaigns.map((each: { campaignId: string }) => each.campaignId),
      ...products.map((each: { productId: string }) => each.productId),
    ];
  };
  assert.equal(await ids(a), [campaignId, 'p-1']);
  assert.equal(await ids(b), []);
});

const ofAccess = ['api_keys', 'audit_log', 'subject_keys', 'users'];

test('a query that forgets its where sees nothing of others, nor can it write for them', async () => {
  await using gateway = await startGateway();
  await twoMerchants(gateway);
  const { db } = gateway.postgres;
  const count = async (table: string, merchantId: string) =>
    await asMerchant(db, merchantId, async (trx) => {
      const { rows } = await sql<{ n: number }>`select count(*) as n from ${sql.table(table)}`.execute(trx);
      return rows[0]?.n;
    });
  for (const table of visible) {
    assert.is(await count(table, 'shop-a'), 1, table);
    assert.is(await count(table, 'shop-b'), 0, table);
    const { rows } = await sql<{ n: number }>`select count(*) as n from ${sql.table(table)}`.execute(db);
    assert.is(rows[0]?.n, 0, `${table} outside of a merchant's transaction`);
  }
  const user = { userId: 'ana', name: 'Ana', email: 'ana@example.com', role: 'analyst' };
  const as = await gateway.addMerchant('shop-c');
  assert.is((await gateway.call('/v1/users', { as, body: user })).status, 201);
  for (const table of ofAccess) {
    assert.is(await count(table, 'shop-c'), 1, table);
    assert.is(await count(table, 'shop-d'), 0, table);
  }
  const renamed = await asMerchant(db, 'shop-b', (trx) =>
    trx.updateTable('campaigns').set({ name: 'mine' }).executeTakeFirst(),
  );
  assert.is(Number(renamed.numUpdatedRows), 0);
  const forged = await asMerchant(db, 'shop-b', (trx) =>
    trx.insertInto('outbox_heads').values({ merchant_id: 'shop-c', next_seq: 1 }).execute(),
  ).catch((error: unknown) => error);
  assert.instance(forged, Error);
  assert.match(forged instanceof Error ? forged.message : '', /row-level security/);
});

/** The same for everybody, or shown to its owner's functions too, which row-level security would blind if it were forced. */
const sharedOrNarrowed = ['schema_info', 'billing_plans', 'maintenance_windows', 'api_keys'];

test('whatever the role may touch is cut down to one merchant by row-level security that nobody escapes', async () => {
  await using gateway = await startGateway();
  const { rows } = await sql<{ name: string; forced: boolean; open: number; own: number }>`
    select c.relname as name, c.relrowsecurity and c.relforcerowsecurity as forced,
      count(p.policyname) filter (where p.qual not like '%merchant_id = current_setting(''laneway.merchant_id''%') as open,
      count(p.policyname) filter (where p.qual like '%merchant_id = current_setting(''laneway.merchant_id''%') as own
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
      left join pg_policies p on p.tablename = c.relname and p.roles && '{laneway_gateway,public}'::name[]
    where n.nspname = 'public' and c.relkind in ('r', 'p', 'v', 'm')
      and has_any_column_privilege('laneway_gateway', c.oid, 'select, insert, update')
    group by c.oid, c.relname order by 1
  `.execute(gateway.world.postgres.db);
  const names = rows.map(({ name }) => name);
  assert.equal(
    [...visible, ...ofAccess, 'schema_info'].filter((name) => !names.includes(name)),
    [],
  );
  assert.equal(
    rows.filter(
      ({ name, forced, open, own }) => !sharedOrNarrowed.includes(name) && !(forced && open === 0 && own > 0),
    ),
    [],
  );
});

test('a path that is none is a problem too', async () => {
  await using gateway = await startGateway();
  const answer = await gateway.call('/nothing');
  assert.is(answer.status, 404);
  assert.is(answer.headers.get('content-type'), 'application/problem+json');
  assert.is(JSON.parse(answer.text).code, 'resource.not_found');
  assert.is(JSON.parse(answer.text).correlationId, answer.headers.get('x-correlation-id'));
});

test.run();
