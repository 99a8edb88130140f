import { type Transaction, sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { getCampaign, getOperation, listCampaigns } from './reads.ts';
import type { RequestableState } from './state-machine.ts';
import { type CampaignChange, type NewCampaign, createCampaign, requestCampaignState } from './writes.ts';
import { appendOutbox, eventRow } from '../../database/outbox.ts';
import type { Database } from '../../database/tables.ts';
import { asMerchant } from '../../database/transaction.ts';
import { envelopeSchema } from '../../events/envelope.ts';
import { registry } from '../../events/registry.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { type World, createWorld } from '../../testing/world.ts';

const NOON = Date.parse('2026-11-23T12:00:00.000Z');
const sale: NewCampaign = {
  name: 'Winter sale',
  adNetworkIds: ['meta', 'google_ads'],
  dailyBudgetMinor: 5_000,
  currency: 'EUR',
  productIds: ['sku-1'],
  state: 'active',
};

const originOf = (merchantId: string, nowMs = NOON) => ({
  registry,
  merchantId,
  correlationId: 'cor-1',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  userId: 'user-1',
  nowMs,
});

/** As the gateway does it: under its role, and so under row-level security, for one merchant. */
const within = <T>({ postgres }: World, merchantId: string, work: (trx: Transaction<Database>) => Promise<T>) =>
  asMerchant(postgres.db, merchantId, async (trx) => {
    await sql`set local role laneway_gateway`.execute(trx);
    return await work(trx);
  });

const create = (world: World, merchantId: string, campaign: Partial<NewCampaign> = {}) =>
  within(world, merchantId, async (trx) => {
    const change = await createCampaign(trx, originOf(merchantId), { ...sale, ...campaign });
    await appendOutbox(trx, change.events.map(eventRow), NOON);
    return change;
  });

const request = (world: World, campaignId: string, state: RequestableState, nowMs = NOON) =>
  within(world, 'shop-1', (trx) => requestCampaignState(trx, originOf('shop-1', nowMs), { campaignId, state }));

const commandOf = ({ events }: CampaignChange) =>
  envelopeSchema.parse(JSON.parse(events[0]?.body.toString('utf8') ?? 'null'));

const operationOf = ({ operationId }: CampaignChange): string => operationId ?? 'none';

test('a new campaign commands its networks at once, with all that they need to know', async () => {
  await using world = await createWorld();
  const change = await create(world, 'shop-1');
  const command = commandOf(change);
  assert.is(command.eventId, change.operationId);
  assert.equal(command.authentication, { userId: 'user-1' });
  assert.equal(command.payload, {
    campaignId: change.campaignId,
    merchantId: 'shop-1',
    requestedState: 'active',
    adNetworkIds: ['meta', 'google_ads'],
    timestamp: '2026-11-23T12:00:00.000Z',
    campaignParametersForSync: { name: 'Winter sale', dailyBudgetMinor: 5_000, currency: 'EUR', productIds: ['sku-1'] },
  });
  const outbox = await world.postgres.db.selectFrom('outbox').select(['event_id', 'destination']).execute();
  assert.equal(outbox, [{ event_id: operationOf(change), destination: 'queue:CampaignEventsQueue' }]);
});

test('a draft asks nothing of the networks until it is activated', async () => {
  await using world = await createWorld();
  const draft = await create(world, 'shop-1', { state: 'draft' });
  assert.equal([draft.operationId, draft.events], [undefined, []]);
  const activated = await request(world, draft.campaignId, 'active');
  assert.is(commandOf(activated).payload['requestedState'], 'active');
  const campaign = await within(world, 'shop-1', (trx) => getCampaign(trx, 'shop-1', draft.campaignId));
  assert.equal([campaign?.state, campaign?.version, campaign?.networks], ['active', 2, []]);
});

test('a request that is not allowed, or is for a campaign of somebody else, changes nothing', async () => {
  await using world = await createWorld();
  const { campaignId } = await create(world, 'shop-1');
  const foreign = await create(world, 'shop-2');
  await request(world, campaignId, 'ended');
  const refusals = [
    ['campaigns.illegal_transition', campaignId],
    ['campaigns.not_found', foreign.campaignId],
    ['campaigns.not_found', 'cmp-none'],
  ] as const;
  for (const [code, id] of refusals) {
    const error = await request(world, id, 'active').catch((thrown: unknown) => thrown);
    assert.ok(error instanceof LanewayError);
    assert.is(error.code, code);
  }
  const rows = await world.postgres.db.selectFrom('campaigns').select(['state', 'version']).orderBy('state').execute();
  assert.equal(rows, [
    { state: 'active', version: 1 },
    { state: 'ended', version: 2 },
  ]);
});

test('requests at once are numbered one after the other, and their commands carry times in that order', async () => {
  await using world = await createWorld();
  const { campaignId } = await create(world, 'shop-1');
  // The clock of one gateway is behind that of another.
  const changes = await Promise.all(
    [0, -5_000, 5_000, -10_000].map((skewMs) => request(world, campaignId, 'paused', NOON + skewMs)),
  );
  const operations = await world.postgres.db.selectFrom('operations').selectAll().orderBy('version').execute();
  assert.equal(
    operations.map(({ version }) => version),
    [1, 2, 3, 4, 5],
  );
  const timeOf = new Map(changes.map((change) => [operationOf(change), commandOf(change).payload['timestamp']]));
  const times = operations.slice(1).map(({ operation_id }) => String(timeOf.get(operation_id)));
  assert.equal(times, [...new Set(times)].toSorted());
  assert.ok(times.every((time) => time > '2026-11-23T12:00:00.000Z'));
});

test('campaigns are listed in pages with their networks, and only their own merchant sees them', async () => {
  await using world = await createWorld();
  const created = [await create(world, 'shop-1'), await create(world, 'shop-1'), await create(world, 'shop-1')];
  await create(world, 'shop-2');
  const ids = created.map(({ campaignId }) => campaignId).toSorted();
  await networkState(world, { campaign_id: ids[0] ?? '', desired_event_id: 'e' }, 'live');
  const page = (after?: string) =>
    within(world, 'shop-1', (trx) => listCampaigns(trx, 'shop-1', { limit: 2, ...(after ? { after } : {}) }));
  const first = await page();
  assert.equal(
    [first.items.map((c) => c.campaignId), first.next, first.items.map((c) => c.networks.length)],
    [ids.slice(0, 2), ids[1], [1, 0]],
  );
  const last = await page(first.next);
  assert.equal([last.items.map((c) => c.campaignId), last.next], [ids.slice(2), undefined]);
  // Even a query that names another merchant sees nothing of it.
  const seen = await within(world, 'shop-1', (trx) => listCampaigns(trx, 'shop-2', { limit: 10 }));
  assert.equal(seen, { items: [], next: undefined });
});

test('an operation is pending until its networks follow, fail, or are asked for something else', async () => {
  await using world = await createWorld();
  const first = await create(world, 'shop-1');
  const row = { campaign_id: first.campaignId, desired_event_id: operationOf(first) };
  const status = async (change: CampaignChange) =>
    (await within(world, 'shop-1', (trx) => getOperation(trx, 'shop-1', operationOf(change))))?.status;
  assert.is(await status(first), 'pending');
  await networkState(world, row, 'live');
  assert.is(await status(first), 'pending');
  await networkState(world, { ...row, ad_network_id: 'google_ads' }, 'live');
  assert.is(await status(first), 'succeeded');
  await networkState(world, row, 'failed');
  assert.is(await status(first), 'failed');

  const second = await request(world, first.campaignId, 'paused');
  await networkState(world, { ...row, desired_event_id: operationOf(second) }, 'pending');
  assert.equal([await status(first), await status(second)], ['superseded', 'pending']);
  const foreign = await within(world, 'shop-2', (trx) => getOperation(trx, 'shop-2', operationOf(first)));
  assert.is(foreign, undefined);
});

test('an operation whose command died has failed, and one whose command was skipped is superseded', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const at = new Date(NOON);
  const day = '2026-11-23';
  for (const [mseq, outcome, expected] of [
    [1, 'dead', 'failed'],
    [2, 'skip', 'superseded'],
  ] as const) {
    const change = await create(world, 'shop-1');
    const key = { merchant_id: 'shop-1', mseq, day, event_id: operationOf(change) };
    await sql`select ensure_day_partitions(${day}::date, ${day}::date)`.execute(db);
    await db
      .insertInto('accepted')
      .values({ ...key, body_hmac: Buffer.from('x'), accepted_at: at })
      .execute();
    await db
      .insertInto('settlements')
      .values({ ...key, handler: 'sync', outcome, settled_at: at, worker: 'w', owner: 'o' })
      .execute();
    const operation = await within(world, 'shop-1', (trx) => getOperation(trx, 'shop-1', operationOf(change)));
    assert.is(operation?.status, expected);
  }
});

async function networkState(
  { postgres: { db } }: World,
  row: { campaign_id: string; desired_event_id: string; ad_network_id?: string },
  status: 'pending' | 'live' | 'failed',
): Promise<void> {
  const wanted = { status, desired_event_id: row.desired_event_id };
  await db
    .insertInto('campaign_network_states')
    .values({
      merchant_id: 'shop-1',
      ad_network_id: 'meta',
      desired_state: 'active',
      desired: '{}',
      desired_at: new Date(NOON),
      ...row,
      ...wanted,
    })
    .onConflict((conflict) => conflict.columns(['merchant_id', 'campaign_id', 'ad_network_id']).doUpdateSet(wanted))
    .execute();
}

test.run();
