import { type Transaction, sql } from 'kysely';
import { type RuleDefinition, judge, ruleDefinition } from './judge.ts';
import { type Move, moveCampaigns } from '../move-campaigns.ts';
import type { CampaignState } from '../tables.ts';
import type { Database } from '../../../database/tables.ts';
import type { Registry } from '../../../events/registry.ts';
import { recordChanges } from '../../../operations/record-change.ts';
import { DAY_MS, dayOf } from '../../../runtime/clock.ts';
import { newTraceparent } from '../../../runtime/tracing.ts';
import type { ScheduledEvent, ScheduledPage, ScheduledTurn } from '../../../schedules/definition.ts';
import { type CampaignFigures, readCampaignFigures } from '../../analytics/reads.ts';
import { tellApps } from '../../webhooks/events.ts';

/** A rule and a campaign it watches. */
interface Watch {
  merchantId: string;
  ruleId: string;
  campaignId: string;
  definition: RuleDefinition;
  state: CampaignState;
  version: number;
  currency: string;
  tripped: boolean;
  changedAt: Date | null;
  /** Which version of the campaign the rule made by pausing it. */
  pausedVersion: number | null;
}

interface Turned extends Watch {
  trips: boolean;
  value: number | undefined;
  move: 'active' | 'paused' | undefined;
}

/**
 * Judges campaigns by the rules of their merchants, a page of merchants in a few statements.
 *
 *   armed ──the figure is past the limit──► tripped ──back at `rearmAt`, or nothing left to judge──► armed
 *
 * What follows happens at the transition alone: a merchant who activates a paused campaign in spite of its figures has the
 * last word until they recover. Figures are whole days, since those of today are not told yet.
 */
export async function applyRules(
  trx: Transaction<Database>,
  registry: Registry,
  { after, limit, nowMs }: Pick<ScheduledTurn, 'after' | 'limit' | 'nowMs'>,
): Promise<ScheduledPage> {
  const { rows: merchants } = await sql<{ merchantId: string }>`
    select distinct merchant_id as "merchantId" from campaign_rules where enabled and merchant_id > ${after}
    order by 1 limit ${limit}
  `.execute(trx);
  const page = merchants.map(({ merchantId }) => merchantId);
  const watches = await readWatches(trx, page);
  const figures = await readFigures(trx, watches, nowMs);
  const turned = watches.flatMap((watch) => turn(watch, figures.get(keyOf(watch, watch.definition.days)), nowMs));
  const job = 'campaigns.apply_rules';
  const origin = { registry, job, correlationId: `${job}:${nowMs}`, traceparent: newTraceparent() };
  await writeStates(trx, turned, nowMs);
  await recordChanges(
    trx,
    turned.map(({ merchantId, ruleId, campaignId, trips, value, move }) => ({
      merchantId,
      actor: `rule:${ruleId}`,
      action: trips ? 'campaign_rule.tripped' : 'campaign_rule.rearmed',
      subject: campaignId,
      after: { value: value ?? null, asked: move ?? null },
      correlationId: origin.correlationId,
    })),
    nowMs,
  );
  await moveCampaigns(trx, origin, movesOf(turned), nowMs);
  return { events: turned.map((each) => told(each, nowMs)), next: page.length < limit ? undefined : page.at(-1) };
}

const keyOf = (
  { merchantId, campaignId, currency }: { merchantId: string; campaignId: string; currency: string },
  days: number,
) => JSON.stringify([merchantId, campaignId, currency, days]);

async function readWatches(trx: Transaction<Database>, merchants: readonly string[]): Promise<Watch[]> {
  const { rows } = await sql<Omit<Watch, 'definition'> & { definition: unknown }>`
    select r.merchant_id as "merchantId", r.rule_id as "ruleId", c.campaign_id as "campaignId", r.definition, c.state,
      c.version, c.currency, coalesce(s.tripped, false) as tripped, s.changed_at as "changedAt",
      s.paused_version as "pausedVersion"
    from campaign_rules r
    join campaigns c on c.merchant_id = r.merchant_id and c.state in ('active', 'paused')
      and (r.definition -> 'campaignIds' is null or r.definition -> 'campaignIds' ? c.campaign_id)
    left join campaign_rule_states s
      on s.merchant_id = r.merchant_id and s.rule_id = r.rule_id and s.campaign_id = c.campaign_id
    where r.enabled and r.merchant_id = any(${merchants}::text[])
    order by 1, 2, 3
  `.execute(trx);
  // The gateway parsed it before it was written.
  return rows.map((row) => ({ ...row, definition: ruleDefinition.parse(row.definition) }));
}

/** By campaign, currency and length of the window: rules that look equally far back share what is read. */
async function readFigures(
  trx: Transaction<Database>,
  watches: readonly Watch[],
  nowMs: number,
): Promise<Map<string, CampaignFigures>> {
  const windows = new Map(
    watches.map(({ merchantId, definition: { days } }) => [
      JSON.stringify([merchantId, days]),
      { merchantId, days, from: dayOf(nowMs - days * DAY_MS), to: dayOf(nowMs - DAY_MS) },
    ]),
  );
  const found = await readCampaignFigures(trx, [...windows.values()]);
  return new Map(found.map((each) => [keyOf(each, each.days), each]));
}

const nothing = { impressions: 0, clicks: 0, orders: 0, spendMicros: 0n, revenueMinor: 0n };

function turn(watch: Watch, figures: CampaignFigures | undefined, nowMs: number): Turned[] {
  const { definition, currency, tripped, changedAt, state, version, pausedVersion } = watch;
  if (changedAt !== null && changedAt.getTime() + definition.cooldownHours * 3_600_000 > nowMs) return [];
  const { verdict, value } = judge(definition, currency, figures ?? nothing, tripped);
  if (verdict === 'stay') return [];
  const pauses = verdict === 'trip' && definition.action === 'pause' && state === 'active';
  const untouched = state === 'paused' && version === pausedVersion;
  const resumes = verdict === 'rearm' && definition.resume && untouched && value !== undefined;
  const move = pauses ? 'paused' : resumes ? 'active' : undefined;
  return [{ ...watch, trips: verdict === 'trip', value, move }];
}

/** Where rules disagree about a campaign, it is paused. */
function movesOf(turned: readonly Turned[]): Move[] {
  const moves = new Map<string, Move>();
  for (const { merchantId, campaignId, move } of turned) {
    const key = JSON.stringify([merchantId, campaignId]);
    if (move !== undefined && moves.get(key)?.to !== 'paused') moves.set(key, { merchantId, campaignId, to: move });
  }
  return [...moves.values()];
}

async function writeStates(trx: Transaction<Database>, turned: readonly Turned[], nowMs: number): Promise<void> {
  if (turned.length === 0) return;
  const column = <T>(pick: (each: Turned) => T): T[] => turned.map(pick);
  await sql`
    insert into campaign_rule_states (merchant_id, rule_id, campaign_id, tripped, value, paused_version, changed_at)
    select t.*, ${new Date(nowMs)}::timestamptz
    from unnest(${column((t) => t.merchantId)}::text[], ${column((t) => t.ruleId)}::text[],
      ${column((t) => t.campaignId)}::text[], ${column((t) => t.trips)}::boolean[],
      ${column((t) => t.value ?? null)}::bigint[],
      ${column((t) => (t.move === 'paused' ? t.version + 1 : null))}::bigint[])
      as t (merchant_id, rule_id, campaign_id, tripped, value, paused_version)
    order by merchant_id collate "C", rule_id collate "C", campaign_id collate "C"
    on conflict (merchant_id, rule_id, campaign_id) do update set tripped = excluded.tripped, value = excluded.value,
      paused_version = excluded.paused_version, changed_at = excluded.changed_at
  `.execute(trx);
}

function told({ merchantId, ruleId, campaignId, trips, value, move }: Turned, nowMs: number): ScheduledEvent {
  const type = trips ? 'campaign.rule_tripped' : 'campaign.rule_rearmed';
  const data = { ruleId, campaignId, value: value ?? null, asked: move ?? null };
  const key = JSON.stringify([ruleId, campaignId]);
  return { merchantId, key, ...tellApps(type, data, new Date(nowMs).toISOString()) };
}
