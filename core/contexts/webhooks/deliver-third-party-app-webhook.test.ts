import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deliverThirdPartyAppWebhook } from './deliver-third-party-app-webhook.ts';
import { personOf, thirdPartyAppWebhookPayload } from './events.ts';
import { readSecrets } from './secrets.ts';
import { changeEndpoint, createEndpoint, rotateSecret } from './writes.ts';
import { runTwice } from '../../testing/duplicate.ts';
import { testKeyring } from '../../testing/keyring.ts';
import { lanewayEvent, runHandler } from '../../testing/run-handler.ts';
import { searchPostgres } from '../../testing/search-stores.ts';
import { type World, createWorld } from '../../testing/world.ts';

const NOON = Date.parse('2026-11-23T12:00:00.000Z');

const happening = (n: number, webhookType: string, changes: Record<string, unknown> = {}) =>
  lanewayEvent(
    n,
    thirdPartyAppWebhookPayload.parse({ webhookType, timestamp: '2026-11-23T10:00:00.000Z', data: { n }, ...changes }),
    { eventType: 'ThirdPartyAppWebhookEvent' },
  );

const endpoint = ({ postgres: { db } }: World, types: string[], ordering: 'parallel' | 'sequential' = 'parallel') =>
  db.transaction().execute(async (trx) => {
    const wanted = { url: 'https://hooks.example/', description: '', types, ordering };
    return (await createEndpoint(trx, testKeyring, 'shop-1', wanted, NOON)).endpointId;
  });

const deliveries = ({ postgres: { db } }: World, endpointId: string) =>
  db
    .selectFrom('webhook_deliveries')
    .select(['sequence', 'event_id', 'status'])
    .where('endpoint_id', '=', endpointId)
    .orderBy('sequence')
    .execute()
    .then((rows) => rows.map((row) => `${row.sequence} ${row.event_id} ${row.status}`));

test('each endpoint gets what it subscribes to, numbered in the order of the events, in runs or one by one', async () => {
  await using world = await createWorld();
  const campaigns = await endpoint(world, ['campaign.*'], 'sequential');
  const one = await endpoint(world, ['campaign.paused', 'invoice.paid']);
  const run = await runHandler(world.postgres.db, deliverThirdPartyAppWebhook, [
    happening(1, 'campaign.activated'),
    happening(2, 'campaign.paused'),
    happening(3, 'product.changed'),
  ]);
  await runHandler(world.postgres.db, deliverThirdPartyAppWebhook, [happening(4, 'campaign.activated')], {
    alone: true,
  });
  assert.equal(await deliveries(world, campaigns), [
    '1 event-0001 pending',
    '2 event-0002 pending',
    '3 event-0004 pending',
  ]);
  assert.equal(await deliveries(world, one), ['1 event-0002 pending']);
  const intended = run.intents.map(({ destination, objectKey }) => `${objectKey} ${destination.slice(0, -1)}`);
  assert.equal(
    intended.toSorted(),
    [`event-0002 webhook:${one}:`, `next webhook:${campaigns}:`, `next webhook:${campaigns}:`].toSorted(),
  );
  assert.equal(run.outcomes[2], { kind: 'skip', reason: 'no endpoint wants it' });
});

test('what a disabled endpoint would get is held; a recovery sends all that was missed since, in order', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const id = await endpoint(world, ['*'], 'sequential');
  const change = (state: 'enabled' | 'disabled') =>
    db.transaction().execute((trx) => changeEndpoint(trx, 'shop-1', id, { state }, NOON));
  await change('disabled');
  const recover = happening(3, 'laneway.recovery', {
    endpointId: id,
    redelivery: { since: '2026-11-23T11:00:00.000Z' },
  });
  const held = await runHandler(db, deliverThirdPartyAppWebhook, [happening(1, 'a.b'), happening(2, 'a.b'), recover]);
  assert.equal([held.intents, await deliveries(world, id)], [[], ['1 event-0001 held', '2 event-0002 held']]);
  assert.equal(held.outcomes[2], { kind: 'skip', reason: 'the endpoint is disabled' });
  await change('enabled');
  const run = await runHandler(db, deliverThirdPartyAppWebhook, [{ ...recover, eventId: 'event-0004' }]);
  assert.is(run.intents.length, 2);
  assert.equal(await deliveries(world, id), ['1 event-0001 pending', '2 event-0002 pending']);
});

test('one message is sent again on request, also when it arrived', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const id = await endpoint(world, ['*']);
  await runHandler(db, deliverThirdPartyAppWebhook, [happening(1, 'a.b'), happening(2, 'a.b')]);
  await db.updateTable('webhook_deliveries').set({ status: 'delivered' }).execute();
  const again = { endpointId: id, redelivery: { eventId: 'event-0002' } };
  const run = await runHandler(db, deliverThirdPartyAppWebhook, [happening(3, 'laneway.resend', again)]);
  assert.equal(
    run.intents.map(({ objectKey }) => objectKey),
    ['event-0002'],
  );
  assert.equal(await deliveries(world, id), ['1 event-0001 delivered', '2 event-0002 pending']);
});

test('handling events again adds nothing and burns no number', async () => {
  await using world = await createWorld();
  const id = await endpoint(world, ['*']);
  const events = [happening(1, 'a.b'), happening(2, 'a.c')];
  const { once, twice, second } = await runTwice(world, deliverThirdPartyAppWebhook, events, [
    'webhook_deliveries',
    'webhook_endpoints',
  ]);
  assert.is(twice, once);
  assert.equal(second.intents, []);
  await runHandler(world.postgres.db, deliverThirdPartyAppWebhook, [happening(3, 'a.b')]);
  assert.equal((await deliveries(world, id)).at(-1), '3 event-0003 pending');
});

test('secrets of an endpoint are in no table in clear, and one that is rotated leaves the one before for a while', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const [created, second] = await db.transaction().execute(async (trx) => {
    const wanted = { url: 'https://hooks.example/', description: '', types: ['*'], ordering: 'parallel' } as const;
    const made = await createEndpoint(trx, testKeyring, 'shop-1', wanted, NOON);
    return [made, await rotateSecret(trx, testKeyring, 'shop-1', made.endpointId, NOON)] as const;
  });
  const { endpointId, secret: first } = created;
  for (const secret of [first, second]) assert.equal(await searchPostgres(db, secret), []);
  assert.equal(
    (await readSecrets(db, testKeyring, { merchantId: 'shop-1', endpointId })).map(({ secret }) => secret),
    [second, first],
  );
});

test('a message is about the person that it names, or that its data names, by an id or a number', () => {
  const data = { customerId: 'c-1', customerRef: 'c-2' };
  assert.equal(
    [
      { customerId: 'c-0', data },
      { data },
      { data: { customerRef: 'c-2' } },
      { data: { customerId: 77 } },
      { data: { customerId: null, order: data } },
      { data: {} },
      'nothing',
    ].map(personOf),
    ['c-0', 'c-1', 'c-2', '77', undefined, undefined, undefined],
  );
});

test.run();
