import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startGateway } from '../testing/start-gateway.ts';

const consent = { adUserData: true, adPersonalization: true };

test('members are hashed before anything is stored: no table holds an address or a number', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const send = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const answer = await gateway.call(path, { as, method, headers, ...(body === undefined ? {} : { body }) });
    return { status: answer.status, body: JSON.parse(answer.text) };
  };
  const created = await send('POST', '/v1/audiences', { name: 'Buyers', adNetworkIds: ['meta', 'google_ads'] });
  assert.is(created.status, 201);
  const path = `/v1/audiences/${created.body.audienceId}`;
  const add = [
    { email: 'jo.secret@example.com', phone: '+49 151 23456789', consent },
    { email: 'al.secret@example.com', consent: { ...consent, adPersonalization: false } },
  ];
  const changed = await send('POST', `${path}/members`, { add }, { 'idempotency-key': 'k-1' });
  assert.equal([changed.status, changed.body.accepted], [202, true]);
  const { db } = gateway.world.postgres;
  const members = await db.selectFrom('audience_members').select(['wanted', 'seq']).orderBy('seq').execute();
  assert.equal(members, [
    { wanted: true, seq: 1 },
    { wanted: false, seq: 2 },
  ]);
  const tables = await sql<{ name: string }>`
    select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'
  `.execute(db);
  for (const { name } of tables.rows) {
    const { rows } = await sql<{ row: string }>`select to_jsonb(t)::text as row from ${sql.table(name)} t`.execute(db);
    const bodies = name === 'outbox' ? await db.selectFrom('outbox').select('body').execute() : [];
    const text = rows.map(({ row }) => row).join() + bodies.map(({ body }) => body.toString()).join();
    assert.not.match(text, /secret|23456789/, name);
  }

  const gone = await send('POST', '/v1/audiences/people/remove', { email: 'Jo.Secret@example.com' });
  assert.equal([gone.status, gone.body], [202, { audiences: 1 }]);
  const wanted = await db.selectFrom('audience_members').select('seq').where('wanted', '=', true).execute();
  assert.equal(wanted, []);
  const events = await db.selectFrom('outbox').select('event_type').execute();
  assert.equal(
    events.map((each) => each.event_type),
    ['AudienceSegmentUpdateRequestedEvent', 'AudienceSegmentUpdateRequestedEvent'],
  );
  const read = await send('GET', path);
  assert.equal([read.status, read.body.networks], [200, []]);
  assert.is((await send('DELETE', path)).status, 202);
  assert.equal([(await send('GET', path)).status, (await send('DELETE', path)).status], [404, 404]);
});

test('one member that cannot be read refuses the whole change, naming its place', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const created = await gateway.call('/v1/audiences', { as, body: { name: 'Buyers', adNetworkIds: ['meta'] } });
  const path = `/v1/audiences/${JSON.parse(created.text).audienceId}/members`;
  const add = [
    { email: 'jo@example.com', consent },
    { phone: '0151 234', consent },
  ];
  const refused = await gateway.call(path, { as, body: { add } });
  const problem = JSON.parse(refused.text);
  assert.equal([refused.status, problem.code], [400, 'audiences.identifier_invalid']);
  assert.match(problem.detail, 'add.1');
  assert.equal(await gateway.world.postgres.db.selectFrom('audience_members').selectAll().execute(), []);
  assert.is((await gateway.call(path, { as, body: {} })).status, 400);
});

test.run();
