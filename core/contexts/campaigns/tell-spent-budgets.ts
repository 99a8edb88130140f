import { type Transaction, sql } from 'kysely';
import { readRecentSpend } from '../analytics/reads.ts';
import { tellOwner } from '../notifications/events.ts';
import type { Database } from '../../database/tables.ts';
import { decimalOf, minorToMicros } from '../../money/currency.ts';
import { DAY_MS, dayOf } from '../../runtime/clock.ts';
import { contentHash } from '../../runtime/ids.ts';
import type { ScheduledEvent, ScheduledPage, ScheduledTurn } from '../../schedules/definition.ts';

export const EVERY_MS = 1_800_000;
/** Figures are looked at for this long after they came, so that none is missed. What was told already has the same key. */
const LOOK_BACK_MS = 3 * EVERY_MS;

/**
 * Tells merchants of running campaigns that have spent a day's budget at a network. Days are those of the ad account, so that
 * any of the last two may still go on somewhere.
 */
export async function tellSpentBudgets(
  trx: Transaction<Database>,
  { period, nowMs, after, limit }: Pick<ScheduledTurn, 'period' | 'nowMs' | 'after' | 'limit'>,
): Promise<ScheduledPage> {
  const { rows: page } = await sql<{ merchantId: string }>`
    select merchant_id as "merchantId" from campaigns where state = 'active' and merchant_id > ${after}
    group by merchant_id order by merchant_id limit ${limit}
  `.execute(trx);
  const merchantIds = page.map(({ merchantId }) => merchantId);
  const since = new Date(period.startMs - LOOK_BACK_MS);
  const spends = await readRecentSpend(trx, { merchantIds, fromDay: dayOf(nowMs - DAY_MS), since });
  const next = page.length < limit ? undefined : merchantIds.at(-1);
  if (spends.length === 0) return { events: [], next };
  const campaigns = await trx
    .selectFrom('campaigns')
    .select(['merchant_id', 'campaign_id', 'name', 'daily_budget_minor', 'currency'])
    .where('merchant_id', 'in', [...new Set(spends.map(({ merchantId }) => merchantId))])
    .where('campaign_id', 'in', [...new Set(spends.map(({ campaignId }) => campaignId))])
    .where('state', '=', 'active')
    .execute();
  const byKey = new Map(campaigns.map((row) => [JSON.stringify([row.merchant_id, row.campaign_id]), row]));
  const events = spends.flatMap(({ merchantId, campaignId, network, day, currency, spendMicros }) => {
    const campaign = byKey.get(JSON.stringify([merchantId, campaignId]));
    if (campaign === undefined || campaign.currency !== currency) return [];
    if (spendMicros < minorToMicros(campaign.daily_budget_minor, currency)) return [];
    const budget = `${decimalOf(campaign.daily_budget_minor, currency)} ${currency}`;
    return told({ merchantId, campaignId, campaignName: campaign.name, network, day, budget }, nowMs);
  });
  return { events, next };
}

interface Spent {
  merchantId: string;
  campaignId: string;
  campaignName: string;
  network: string;
  day: string;
  budget: string;
}

function told(spent: Spent, nowMs: number): ScheduledEvent {
  const { merchantId, campaignId: _, ...filling } = spent;
  // Of all that is said: under one key nothing else may be said another time.
  const key = contentHash(spent);
  return { merchantId, key, ...tellOwner('campaign-budget-spent', key, filling, new Date(nowMs).toISOString()) };
}
