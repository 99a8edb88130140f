import { type Transaction, sql } from 'kysely';
import { type Move, moveCampaigns } from './move-campaigns.ts';
import type { Database } from '../../database/tables.ts';
import type { Registry } from '../../events/registry.ts';
import { newTraceparent } from '../../runtime/tracing.ts';
import type { ScheduledTurn } from '../../schedules/definition.ts';
import { type CampaignOffers, readTurnedCampaigns } from '../promotions/reads.ts';

/**
 * Activates campaigns whose offer has started and pauses those none of whose offers runs any more, once for each start and
 * end: what a merchant does with the campaign in between stays. Answers with the last merchant of a full page.
 */
export async function followOffers(
  trx: Transaction<Database>,
  registry: Registry,
  { after, limit, nowMs }: Pick<ScheduledTurn, 'after' | 'limit' | 'nowMs'>,
): Promise<string | undefined> {
  const { campaigns, next } = await readTurnedCampaigns(trx, { after, limit, nowMs });
  const moves = (await takeUnfollowed(trx, campaigns)).map(({ merchantId, campaignId, running }): Move => ({
    merchantId,
    campaignId,
    to: running ? 'active' : 'paused',
  }));
  const job = 'campaigns.follow_offers';
  const origin = { registry, job, correlationId: `${job}:${nowMs}`, traceparent: newTraceparent() };
  await moveCampaigns(trx, origin, moves, nowMs);
  return next;
}

/** Those of which an offer has turned since they were last looked at, which are then known as followed. */
async function takeUnfollowed(
  trx: Transaction<Database>,
  campaigns: readonly CampaignOffers[],
): Promise<CampaignOffers[]> {
  const { rows } = await sql<{ merchantId: string; campaignId: string }>`
    insert into campaign_offer_turns as held (merchant_id, campaign_id, turns)
    select * from unnest(${campaigns.map((c) => c.merchantId)}::text[], ${campaigns.map((c) => c.campaignId)}::text[],
      ${campaigns.map((c) => c.turns)}::bigint[]) as t (merchant_id, campaign_id, turns)
    where turns > 0
    on conflict (merchant_id, campaign_id) do update set turns = excluded.turns where held.turns <> excluded.turns
    returning merchant_id as "merchantId", campaign_id as "campaignId"
  `.execute(trx);
  const taken = new Set(rows.map(({ merchantId, campaignId }) => JSON.stringify([merchantId, campaignId])));
  return campaigns.filter(({ merchantId, campaignId }) => taken.has(JSON.stringify([merchantId, campaignId])));
}
