import type { Transaction } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { applyRules } from './apply-rules.ts';
import { type Figures, type RuleDefinition, judge, ruleDefinition } from './judge.ts';
import { readRuleStates, saveRule } from './rule-rows.ts';
import { tellSpentBudgets } from '../tell-spent-budgets.ts';
import { createCampaign, requestCampaignState } from '../writes.ts';
import type { Database } from '../../../database/tables.ts';
import { registry } from '../../../events/registry.ts';
import { type World, createWorld } from '../../../testing/world.ts';

const at = (day: number, hour = 12): number => Date.UTC(2026, 10, day, hour);
const isoDay = (day: number): string => new Date(at(day)).toISOString().slice(0, 10);
const within = <T>({ postgres }: World, work: (trx: Transaction<Database>) => Promise<T>) =>
  postgres.db.transaction().execute(work);
const pays = (more: Partial<RuleDefinition> = {}): RuleDefinition =>
  ruleDefinition.parse({ metric: 'roas', limit: 1_500, rearmAt: 2_000, days: 3, minSpendMinor: 1_000, ...more });

test('a rule judges ratios by whole numbers, and says nothing of what little money was spent on', () => {
  const figures = (more: Partial<Figures>): Figures => ({
    impressions: 10_000,
    clicks: 50,
    orders: 2,
    spendMicros: 10_000_000n,
    revenueMinor: 1_499n,
    ...more,
  });
  const verdicts = (rule: RuleDefinition, more: Partial<Figures>, currency = 'EUR') =>
    [false, true].map((tripped) => {
      const { verdict, value } = judge(rule, currency, figures(more), tripped);
      return `${verdict} ${value ?? '-'}`;
    });
  assert.equal(verdicts(pays(), {}), ['trip 1499', 'stay 1499']);
  assert.equal(verdicts(pays(), { revenueMinor: 1_500n }), ['stay 1500', 'stay 1500']);
  assert.equal(verdicts(pays(), { revenueMinor: 2_000n }), ['stay 2000', 'rearm 2000']);
  assert.equal(verdicts(pays(), { spendMicros: 9_999_999n }), ['stay -', 'rearm -']);
  assert.equal(verdicts(pays(), { revenueMinor: 14n, spendMicros: 1_000_000_000n }, 'JPY'), ['trip 14', 'stay 14']);
  const cost = pays({ metric: 'cpa', limit: 400, rearmAt: 300 });
  assert.equal(verdicts(cost, {}), ['trip 500', 'stay 500']);
  assert.equal(verdicts(cost, { orders: 4 }), ['stay 250', 'rearm 250']);
  assert.equal(verdicts(cost, { orders: 0 }), ['trip 9007199254740991', 'stay 9007199254740991']);
  assert.equal(verdicts(pays({ metric: 'ctr', limit: 5_001, rearmAt: 6_000 }), {}), ['trip 5000', 'stay 5000']);
  assert.equal(verdicts(pays({ metric: 'spend', limit: 999, rearmAt: 10 }), {}), ['trip 1000', 'stay 1000']);
  assert.is(ruleDefinition.safeParse({ ...pays(), rearmAt: 1_499 }).success, false);
  assert.is(ruleDefinition.safeParse({ ...cost, rearmAt: 401 }).success, false);
});

test('a campaign is paused once when its ROAS falls, its merchant has the last word, and it resumes when the figure recovers', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const origin = (merchantId: string, nowMs: number) => ({
    registry,
    merchantId,
    correlationId: 'cor-1',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    nowMs,
  });
  const fields = { adNetworkIds: ['meta'], dailyBudgetMinor: 5_000, currency: 'EUR', productIds: [] } as const;
  const make = (name: string, merchantId = 'shop-1', state: 'active' | 'paused' = 'active') =>
    within(world, async (trx) => {
      const made = await createCampaign(trx, origin(merchantId, at(1)), { ...fields, name, state });
      return made.campaignId;
    });
  const set = (campaignId: string, day: number, state: 'active' | 'paused') =>
    within(world, (trx) => requestCampaignState(trx, origin('shop-1', at(day)), { campaignId, state }));
  const report = async (campaignId: string, day: number, spend: number, revenue: number, merchantId = 'shop-1') => {
    const key = { merchant_id: merchantId, day: isoDay(day), ad_network_id: 'meta', campaign_id: campaignId };
    const rest = { currency: 'EUR', as_of: new Date(at(day)) };
    const ads = { is_account: false, impressions: 100, clicks: 10, conversions: 0, spend_micros: spend * 10_000 };
    const [spent, brought] = [
      { ...key, ...rest, ...ads },
      { ...key, ...rest, orders: 1, revenue_minor: revenue },
    ];
    await db
      .insertInto('ad_days')
      .values([spent, { ...spent, currency: 'USD', spend_micros: 1 }])
      .execute();
    await db
      .insertInto('order_days')
      .values([brought, { ...brought, currency: 'USD', revenue_minor: 1 }])
      .execute();
  };
  const [bad, good, manual, idle] = [
    await make('bad'),
    await make('good'),
    await make('manual'),
    await make('idle', 'shop-1', 'paused'),
  ];
  const far = await make('far', 'shop-2');
  const rule = (ruleId: string, merchantId: string, definition: RuleDefinition, enabled = true) =>
    within(world, (trx) => saveRule(trx, merchantId, { ruleId, name: ruleId, enabled, definition }, at(1)));
  await rule('roas', 'shop-1', pays({ resume: true, cooldownHours: 30 }));
  await rule('off', 'shop-1', pays({ limit: 1_000_000, rearmAt: 1_000_000 }), false);
  await rule('tell', 'shop-2', pays({ action: 'tell', cooldownHours: 0 }));
  for (const campaign of [bad, manual, idle]) await report(campaign, 8, 1_000, 1_400);
  await report(good, 8, 1_000, 1_500);
  await report(far, 8, 1_000, 100, 'shop-2');
  /** Every page, as the schedule works them: what was told, and the states of the campaigns. */
  const apply = async (day: number, hour = 12) => {
    const told: string[] = [];
    for (let after: string | undefined = ''; after !== undefined;) {
      const turn: { after: string; limit: number; nowMs: number } = { after, limit: 1, nowMs: at(day, hour) };
      const page = await within(world, (trx) => applyRules(trx, registry, turn));
      for (const { merchantId, payload } of page.events) {
        const data = payload['data'] as { value: number; asked: string | null };
        told.push(`${merchantId} ${String(payload['webhookType'])} ${data.value} ${data.asked}`);
      }
      after = page.next;
    }
    const rows = await db.selectFrom('campaigns').select(['name', 'state']).orderBy('name').execute();
    return [told.toSorted(), rows.filter(({ state }) => state === 'paused').map(({ name }) => name)];
  };
  const tripped = 'shop-1 campaign.rule_tripped 1400 paused';
  assert.equal(await apply(8), [[], ['idle']], 'today is not judged');
  assert.equal(await apply(9), [
    ['shop-1 campaign.rule_tripped 1400 null', tripped, tripped, 'shop-2 campaign.rule_tripped 100 null'],
    ['bad', 'idle', 'manual'],
  ]);
  assert.equal(await apply(9, 13), [[], ['bad', 'idle', 'manual']]);
  await set(manual, 9, 'active');
  assert.equal(await apply(10, 20), [[], ['bad', 'idle']]);
  await set(manual, 10, 'paused');
  for (const campaign of [bad, manual, idle]) await report(campaign, 10, 10, 1_000);
  const rearmed = (asked: string) => `shop-1 campaign.rule_rearmed 2376 ${asked}`;
  assert.equal(await apply(11), [
    [rearmed('active'), rearmed('null'), rearmed('null')],
    ['idle', 'manual'],
  ]);
  assert.equal(await apply(12), [['shop-2 campaign.rule_rearmed null null'], ['idle', 'manual']]);

  const spent = async (day: number, after = '') => {
    const period = { startMs: at(day), endMs: at(day, 13) };
    const turn = { period, nowMs: at(day), after, limit: 1 };
    const { events, next } = await within(world, (trx) => tellSpentBudgets(trx, turn));
    return [next, ...events.map(({ payload }) => Object.values(Object(payload['payloadForTemplate'])).join(' '))];
  };
  await report(good, 12, 4_999, 0);
  await report(bad, 12, 5_000, 0);
  await report(idle, 12, 6_000, 0);
  assert.equal(await spent(12), ['shop-1', 'bad meta 2026-11-12 50.00 EUR']);
  assert.equal(await spent(12, 'shop-1'), ['shop-2']);
  assert.equal(await spent(13), ['shop-1'], 'figures that came before are not looked at again');

  const commands = await db
    .selectFrom('operations')
    .select('requested_state')
    .where('campaign_id', '=', bad)
    .orderBy('version')
    .execute();
  assert.equal(
    commands.map((row) => row.requested_state),
    ['active', 'paused', 'active'],
  );
  const audited = await db
    .selectFrom('audit_log')
    .select(['actor', 'action', 'subject'])
    .where('subject', '=', bad)
    .orderBy('at')
    .execute();
  assert.equal(audited, [
    { actor: 'rule:roas', action: 'campaign_rule.tripped', subject: bad },
    { actor: 'rule:roas', action: 'campaign_rule.rearmed', subject: bad },
  ]);
  const states = await within(world, (trx) => readRuleStates(trx, 'shop-1', 'roas'));
  assert.equal(
    states.map((each) => each.tripped),
    [false, false, false],
  );
  await rule('roas', 'shop-1', pays({ limit: 100, rearmAt: 100 }));
  assert.equal(await within(world, (trx) => readRuleStates(trx, 'shop-1', 'roas')), []);
});

test.run();
