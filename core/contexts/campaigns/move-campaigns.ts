import { type Transaction, sql } from 'kysely';
import type { CampaignRow } from './command.ts';
import { type JobOrigin, moveLocked } from './move-locked.ts';
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
 * is not for a machine to start. The last writing of its transaction.
 */
export async function moveCampaigns(
  trx: Transaction<Database>,
  origin: JobOrigin,
  moves: readonly Move[],
  nowMs: number,
): Promise<void> {
  if (moves.length === 0) return;
  const now = sql`${new Date(nowMs)}::timestamptz`;
  const { rows } = await sql<CampaignRow & { wanted: Move['to'] }>`
    with wanted as (
      select * from unnest(${moves.map((m) => m.merchantId)}::text[], ${moves.map((m) => m.campaignId)}::text[],
        ${moves.map((m) => m.to)}::text[]) as t (merchant_id, campaign_id, state)
    )
    select c.*, wanted.state as wanted from campaigns c join wanted using (merchant_id, campaign_id)
    where c.state in ('active', 'paused') and c.state <> wanted.state
      and (wanted.state <> 'active' or c.end_at is null or c.end_at > ${now})
    order by c.merchant_id, c.campaign_id for update of c
  `.execute(trx);
  const locked = rows.map(({ wanted, ...campaign }) => ({ campaign, to: wanted }));
  const { events } = await moveLocked(trx, origin, locked, nowMs);
  await appendOutbox(trx, events.map(eventRow), nowMs);
}
