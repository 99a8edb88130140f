import { type Transaction, sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { followSchedules } from './follow-schedules.ts';
import { moveCampaigns } from './move-campaigns.ts';
import {
  type NewCampaign,
  type RequestOrigin,
  changeCampaign,
  createCampaign,
  requestCampaignState,
} from './writes.ts';
import { appendOutbox, eventRow } from '../../database/outbox.ts';
import type { Database } from '../../database/tables.ts';
import { registry } from '../../events/registry.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { type World, createWorld } from '../../testing/world.ts';

const at = (hour: number): number => Date.parse('2026-11-23T00:00:00.000Z') + hour * 3_600_000;
const iso = (hour: number): string => new Date(at(hour)).toISOString();
const originOf = (merchantId: string, hour: number): RequestOrigin => ({
  registry,
  merchantId,
  correlationId: 'cor-1',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  nowMs: at(hour),
});
const within = <T>({ postgres }: World, work: (trx: Transaction<Database>) => Promise<T>) =>
  postgres.db.transaction().execute(work);

const create = (world: World, name: string, more: Partial<NewCampaign>, merchantId = 'shop-1') =>
  within(world, async (trx) => {
    const campaign = {
      name,
      adNetworkIds: ['meta'],
      dailyBudgetMinor: 5_000,
      currency: 'EUR',
      productIds: [],
    } as const;
    const change = await createCampaign(trx, originOf(merchantId, 1), { ...campaign, state: 'active', ...more });
    await appendOutbox(trx, change.events.map(eventRow), at(1));
    return change.campaignId;
  });
/** Every page, as the schedule works them. */
const follow = async (world: World, hour: number, limit = 100): Promise<void> => {
  let after: string | undefined = '';
  while (after !== undefined) {
    const turn: { after: string; limit: number; nowMs: number } = { after, limit, nowMs: at(hour) };
    after = await within(world, (trx) => followSchedules(trx, registry, turn));
  }
};
const states = async ({ postgres: { db } }: World): Promise<string[]> => {
  const rows = await db.selectFrom('campaigns').select(['name', 'state']).orderBy('name').execute();
  return rows.map(({ name, state }) => `${name} ${state}`);
};
/** Commands that were sent, in order. */
const commands = async ({ postgres: { db } }: World): Promise<string[]> => {
  const { rows } = await sql<{ state: string }>`
    select convert_from(body, 'utf8')::jsonb #>> '{payload,requestedState}' as state from outbox order by merchant_id, seq
  `.execute(db);
  return rows.map(({ state }) => state);
};

test('a campaign starts at its start and ends at its end, with one command each, however often it is looked at', async () => {
  await using world = await createWorld();
  await create(world, 'a', { startAt: iso(5), endAt: iso(9) });
  assert.equal([await states(world), await commands(world)], [['a pending'], []]);
  await follow(world, 4);
  assert.equal(await states(world), ['a pending']);
  for (let times = 0; times < 2; times++) await follow(world, 5);
  assert.equal([await states(world), await commands(world)], [['a active'], ['active']]);
  for (let times = 0; times < 2; times++) await follow(world, 9);
  assert.equal([await states(world), await commands(world)], [['a ended'], ['active', 'ended']]);
  assert.equal(await world.postgres.db.selectFrom('campaign_turns').selectAll().execute(), []);
});

test('a campaign whose whole time passed unseen ends without a word; a paused one ends; a draft stays', async () => {
  await using world = await createWorld();
  await create(world, 'missed', { startAt: iso(5), endAt: iso(6) });
  const paused = await create(world, 'paused', { endAt: iso(6) });
  await create(world, 'draft', { startAt: iso(5), endAt: iso(6), state: 'draft' });
  await within(world, (trx) =>
    requestCampaignState(trx, originOf('shop-1', 2), { campaignId: paused, state: 'paused' }),
  );
  await follow(world, 7);
  assert.equal(await states(world), ['draft draft', 'missed ended', 'paused ended']);
  assert.equal(await commands(world), ['active', 'ended']);
});

test('a schedule that was changed or taken away is the one that holds', async () => {
  await using world = await createWorld();
  const later = await create(world, 'later', { startAt: iso(5) });
  const open = await create(world, 'open', { endAt: iso(5) });
  const early = await create(world, 'early', { startAt: iso(9) });
  await within(world, async (trx) => {
    await changeCampaign(trx, originOf('shop-1', 2), { campaignId: later, startAt: iso(8) });
    await changeCampaign(trx, originOf('shop-1', 2), { campaignId: open, endAt: null });
    await requestCampaignState(trx, originOf('shop-1', 2), { campaignId: early, state: 'active' });
  });
  await follow(world, 6);
  assert.equal(await states(world), ['early active', 'later pending', 'open active']);
  const impossible = within(world, (trx) =>
    changeCampaign(trx, originOf('shop-1', 2), { campaignId: later, endAt: iso(7) }),
  );
  const thrown = await impossible.catch((error: unknown) => error);
  assert.ok(thrown instanceof LanewayError && thrown.code === 'campaigns.schedule_invalid');
});

test('many merchants are worked page by page, none left out', async () => {
  await using world = await createWorld();
  for (const merchant of ['m1', 'm2', 'm3', 'm4', 'm5']) await create(world, merchant, { startAt: iso(5) }, merchant);
  await follow(world, 6, 2);
  assert.equal(await states(world), ['m1 active', 'm2 active', 'm3 active', 'm4 active', 'm5 active']);
  assert.is((await world.postgres.db.selectFrom('operations').selectAll().execute()).length, 5);
});

/** As a release that took such times would have left it. */
const beyondEvents = ({ postgres: { db } }: World, campaignId: string) =>
  sql`update campaigns set end_at = '10000-01-01T00:00:00Z' where campaign_id = ${campaignId}`.execute(db);
const refusals = async ({ postgres: { db } }: World) => {
  const rows = await db.selectFrom('audit_log').selectAll().orderBy('id').execute();
  return rows.map((row) => [row.merchant_id, row.actor, row.action, row.subject, row.after?.['asked']]);
};

test('a campaign of which no event can be built keeps no other from its start, and is told of once an hour', async () => {
  await using world = await createWorld();
  await create(world, 'a', { startAt: iso(5) }, 'm1');
  const broken = await create(world, 'b', { startAt: iso(5) }, 'm2');
  await create(world, 'c', { startAt: iso(5) }, 'm2');
  await create(world, 'd', { startAt: iso(5) }, 'm3');
  await beyondEvents(world, broken);
  for (let times = 0; times < 2; times++) await follow(world, 5.5);
  assert.equal(await states(world), ['a active', 'b pending', 'c active', 'd active']);
  assert.equal(await commands(world), ['active', 'active', 'active']);
  const told = ['m2', 'job:campaigns.follow_schedules', 'campaign.move_refused', broken, 'active'];
  assert.equal(await refusals(world), [told]);
  await follow(world, 6.5);
  assert.equal(await refusals(world), [told, told]);
  await sql`update campaigns set end_at = null`.execute(world.postgres.db);
  await follow(world, 7.5);
  assert.equal(await states(world), ['a active', 'b active', 'c active', 'd active']);
});

test('nor does it keep other campaigns from being paused by what they are tied to', async () => {
  await using world = await createWorld();
  const broken = await create(world, 'a', {}, 'm1');
  const other = await create(world, 'b', {}, 'm2');
  await beyondEvents(world, broken);
  const moves = [
    { merchantId: 'm1', campaignId: broken, to: 'paused' },
    { merchantId: 'm2', campaignId: other, to: 'paused' },
  ] as const;
  const origin = { ...originOf('m1', 5), job: 'campaigns.follow_offers' };
  await within(world, (trx) => moveCampaigns(trx, origin, moves, at(5)));
  assert.equal(await states(world), ['a active', 'b paused']);
  assert.equal(await refusals(world), [
    ['m1', 'job:campaigns.follow_offers', 'campaign.move_refused', broken, 'paused'],
  ]);
});

test.run();
