import { type Transaction, sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { getCampaign } from './reads.ts';
import * as writes from './writes.ts';
import type { Database } from '../../database/tables.ts';
import { asMerchant } from '../../database/transaction.ts';
import { registry } from '../../events/registry.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { type World, createWorld } from '../../testing/world.ts';

const NOON = Date.parse('2026-11-23T12:00:00.000Z');
const sale = {
  name: 'Winter sale',
  adNetworkIds: ['meta'],
  dailyBudgetMinor: 5_000,
  currency: 'EUR',
  productIds: [],
  state: 'active',
} as const satisfies writes.NewCampaign;
const originOf = (mayApprove: boolean, nowMs = NOON): writes.RequestOrigin => ({
  registry,
  merchantId: 'shop-1',
  correlationId: 'cor-1',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  userId: 'user-1',
  nowMs,
  mayApprove,
});
const [clerk, manager] = [originOf(false), originOf(true)];

/** As the gateway does it: under its role, for one merchant. */
const within = <T>({ postgres }: World, work: (trx: Transaction<Database>) => Promise<T>) =>
  asMerchant(postgres.db, 'shop-1', async (trx) => {
    await sql`set local role laneway_gateway`.execute(trx);
    return await work(trx);
  });
const read = async (world: World, campaignId: string) => {
  const campaign = await within(world, (trx) => getCampaign(trx, 'shop-1', campaignId));
  assert.ok(campaign !== undefined);
  return campaign;
};
const codeOf = async (work: Promise<unknown>): Promise<string> => {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  return thrown instanceof LanewayError ? thrown.code : String(thrown);
};

test('where approval is needed, nothing reaches the networks before an approver has said so', async () => {
  await using world = await createWorld();
  await within(world, (trx) => writes.requireApproval(trx, manager, true));
  const asked = await within(world, (trx) => writes.createCampaign(trx, clerk, sale));
  const { campaignId } = asked;
  assert.equal([asked.operationId, asked.events], [undefined, []]);
  const waiting = await read(world, campaignId);
  assert.equal([waiting.state, waiting.requestedState], ['awaiting_approval', 'active']);
  const approve = (origin: writes.RequestOrigin) =>
    within(world, (trx) => writes.decideApproval(trx, origin, { campaignId, approve: true, reason: undefined }));
  assert.is(await codeOf(approve(clerk)), 'campaigns.approval_required');
  const again = within(world, (trx) => writes.requestCampaignState(trx, clerk, { campaignId, state: 'active' }));
  assert.is(await codeOf(again), 'campaigns.illegal_transition');
  const approved = await approve(manager);
  assert.equal(
    approved.events.map(({ eventType }) => eventType),
    ['CampaignStateChangeRequestedEvent', 'NotificationDispatchRequestedEvent'],
  );
  assert.equal([(await read(world, campaignId)).state], ['active']);
  assert.is(await codeOf(approve(manager)), 'campaigns.illegal_transition');
});

test('what was rejected says why, may be changed and asked for again, and an approver asks nobody', async () => {
  await using world = await createWorld();
  await within(world, (trx) => writes.requireApproval(trx, manager, true));
  const { campaignId } = await within(world, (trx) => writes.createCampaign(trx, clerk, sale));
  const reject = { campaignId, approve: false, reason: 'too expensive' };
  const refused = await within(world, (trx) => writes.decideApproval(trx, manager, reject));
  assert.equal(JSON.parse(String(refused.events[0]?.body)).payload, {
    recipientId: 'owner',
    channel: 'in_app',
    templateId: 'campaign-refused',
    payloadForTemplate: { campaignName: 'Winter sale', refusedBy: 'user-1', reason: 'too expensive' },
    timestamp: '2026-11-23T12:00:00.000Z',
    idempotencyKey: `campaign-refused:${campaignId}:1`,
  });
  const rejected = await read(world, campaignId);
  assert.equal([rejected.state, rejected.reviewReason], ['rejected', 'too expensive']);
  await within(world, (trx) => writes.changeCampaign(trx, clerk, { campaignId, dailyBudgetMinor: 1_000 }));
  await within(world, (trx) => writes.requestCampaignState(trx, clerk, { campaignId, state: 'active' }));
  assert.is((await read(world, campaignId)).state, 'awaiting_approval');
  const own = await within(world, (trx) => writes.createCampaign(trx, manager, sale));
  assert.is((await read(world, own.campaignId)).state, 'active');
});

test('a running campaign may be paused, renamed and made cheaper by anybody, and dearer only by an approver', async () => {
  await using world = await createWorld();
  await within(world, (trx) => writes.requireApproval(trx, manager, true));
  const { campaignId } = await within(world, (trx) => writes.createCampaign(trx, manager, sale));
  const change = (origin: writes.RequestOrigin, dailyBudgetMinor: number) =>
    within(world, (trx) => writes.changeCampaign(trx, origin, { campaignId, dailyBudgetMinor }));
  assert.is(await codeOf(change(clerk, 5_001)), 'campaigns.approval_required');
  assert.is((await change(clerk, 4_000)).events.length, 1);
  assert.is((await change(manager, 9_000)).events.length, 1);
  for (const state of ['paused', 'active'] as const)
    await within(world, (trx) => writes.requestCampaignState(trx, clerk, { campaignId, state }));
  assert.equal((await read(world, campaignId)).dailyBudgetMinor, 9_000);
  assert.is(
    await codeOf(within(world, (trx) => writes.requireApproval(trx, clerk, false))),
    'campaigns.approval_required',
  );
});

test('a change goes to the networks with everything the campaign is; one that ended cannot be changed', async () => {
  await using world = await createWorld();
  const { campaignId } = await within(world, (trx) => writes.createCampaign(trx, clerk, sale));
  const changed = await within(world, (trx) =>
    writes.changeCampaign(trx, clerk, { campaignId, name: 'Spring sale', endAt: '2026-12-01T00:00:00.000Z' }),
  );
  const { payload } = JSON.parse(changed.events[0]?.body.toString() ?? '{}') as { payload: Record<string, unknown> };
  assert.equal(
    [payload['requestedState'], payload['campaignParametersForSync']],
    [
      'active',
      {
        name: 'Spring sale',
        dailyBudgetMinor: 5_000,
        currency: 'EUR',
        productIds: [],
        endAt: '2026-12-01T00:00:00.000Z',
      },
    ],
  );
  await within(world, (trx) => writes.requestCampaignState(trx, clerk, { campaignId, state: 'ended' }));
  const late = within(world, (trx) => writes.changeCampaign(trx, clerk, { campaignId, name: 'Late' }));
  assert.is(await codeOf(late), 'campaigns.illegal_transition');
  const archived = await within(world, (trx) =>
    writes.requestCampaignState(trx, clerk, { campaignId, state: 'archived' }),
  );
  assert.equal([archived.events, (await read(world, campaignId)).state], [[], 'archived']);
});

test.run();
