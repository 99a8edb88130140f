import { type Transaction, sql } from 'kysely';
import { type CampaignRow, type CommandOrigin, issueCommands } from './command.ts';
import { appendOutbox, eventRow } from '../../database/outbox.ts';
import type { Database } from '../../database/tables.ts';

export interface Move {
  merchantId: string;
  campaignId: string;
  to: 'active' | 'paused';
}

/**
 * Pauses campaigns that are active and activates ones that are paused, of many merchants in a few statements, each with its
 * command to the networks. Campaigns in any other state are left as they are: what somebody ended, archived or never started
 * is not for a machine to start. Answers with those that moved. The last writing of its transaction.
 */
export async function moveCampaigns(
  trx: Transaction<Database>,
  origin: CommandOrigin,
  moves: readonly Move[],
  nowMs: number,
): Promise<Move[]> {
  if (moves.length === 0) return [];
  const now = sql`${new Date(nowMs)}::timestamptz`;
  const { rows } = await sql<CampaignRow>`
    with wanted as (
      select * from unnest(${moves.map((m) => m.merchantId)}::text[], ${moves.map((m) => m.campaignId)}::text[],
        ${moves.map((m) => m.to)}::text[]) as t (merchant_id, campaign_id, state)
    ), locked as (
      select c.merchant_id, c.campaign_id, wanted.state from campaigns c join wanted using (merchant_id, campaign_id)
      where c.state in ('active', 'paused') and c.state <> wanted.state
        and (wanted.state <> 'active' or c.end_at is null or c.end_at > ${now})
      order by c.merchant_id, c.campaign_id for update of c
    )
    update campaigns c set state = locked.state, version = c.version + 1,
      updated_at = greatest(${now}, c.updated_at + interval '1 millisecond')
    from locked where c.merchant_id = locked.merchant_id and c.campaign_id = locked.campaign_id
    returning c.*
  `.execute(trx);
  const moved = rows.map((campaign): { campaign: CampaignRow; move: Move } => ({
    campaign,
    move: {
      merchantId: campaign.merchant_id,
      campaignId: campaign.campaign_id,
      to: campaign.state === 'active' ? 'active' : 'paused',
    },
  }));
  const { events } = await issueCommands(
    trx,
    origin,
    moved.map(({ campaign, move }) => ({ campaign, state: move.to })),
  );
  await appendOutbox(trx, events.map(eventRow), nowMs);
  return moved.map(({ move }) => move);
}
