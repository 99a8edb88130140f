import { type Transaction, sql } from 'kysely';
import type { CampaignRow } from './command.ts';
import { type LockedMove, moveLocked } from './move-locked.ts';
import { appendOutbox, eventRow } from '../../database/outbox.ts';
import type { Database } from '../../database/tables.ts';
import type { Registry } from '../../events/registry.ts';
import { newTraceparent } from '../../runtime/tracing.ts';
import type { ScheduledTurn } from '../../schedules/definition.ts';

/** When a campaign is looked at again that could not be moved: what refused it may be mended by then. */
const REFUSED_MS = 3_600_000;

/**
 * Starts campaigns whose time has come and ends those whose time is over, a page of merchants at a time, in a few statements
 * for all of them. A campaign that never started ends without a word to the networks. Answers with the last merchant of a
 * full page.
 */
export async function followSchedules(
  trx: Transaction<Database>,
  registry: Registry,
  { after, limit, nowMs }: Pick<ScheduledTurn, 'after' | 'limit' | 'nowMs'>,
): Promise<string | undefined> {
  const now = sql`${new Date(nowMs)}::timestamptz`;
  const { rows: merchants } = await sql<{ merchantId: string }>`
    select distinct merchant_id as "merchantId" from campaign_turns
    where due_at <= ${now} and merchant_id > ${after} order by merchant_id limit ${limit}
  `.execute(trx);
  const page = merchants.map(({ merchantId }) => merchantId);
  // The campaigns' rows are locked first, as whoever changes them does.
  const { rows: due } = await sql<CampaignRow & { over: boolean | null }>`
    select c.*, c.end_at <= ${now} as over from campaigns c join campaign_turns t using (merchant_id, campaign_id)
    where t.due_at <= ${now} and t.merchant_id = any(${page}::text[])
      and (c.state in ('pending', 'active', 'paused') and c.end_at <= ${now}
        or c.state = 'pending' and c.start_at <= ${now})
    order by c.merchant_id, c.campaign_id for update of c
  `.execute(trx);
  const moves = due.map(({ over, ...campaign }): LockedMove => ({
    campaign,
    to: over === true ? 'ended' : 'active',
    silent: over === true && campaign.state === 'pending',
  }));
  const job = 'campaigns.follow_schedules';
  const origin = { registry, job, correlationId: `${job}:${nowMs}`, traceparent: newTraceparent() };
  const { events, refused } = await moveLocked(trx, origin, moves, nowMs);
  await postpone(trx, refused, nowMs);
  await sql`
    delete from campaign_turns t using campaigns c
    where t.merchant_id = any(${page}::text[]) and t.due_at <= ${now}
      and c.merchant_id = t.merchant_id and c.campaign_id = t.campaign_id
      and (c.state not in ('active', 'paused', 'pending') or (c.state <> 'pending' and c.end_at is null))
  `.execute(trx);
  await sql`
    update campaign_turns t set due_at = c.end_at from campaigns c
    where t.merchant_id = any(${page}::text[]) and t.due_at <= ${now} and c.end_at > ${now}
      and c.merchant_id = t.merchant_id and c.campaign_id = t.campaign_id and c.state in ('active', 'paused')
  `.execute(trx);
  await appendOutbox(trx, events.map(eventRow), nowMs);
  return merchants.length < limit ? undefined : page.at(-1);
}

async function postpone(trx: Transaction<Database>, refused: readonly LockedMove[], nowMs: number): Promise<void> {
  if (refused.length === 0) return;
  await sql`
    update campaign_turns t set due_at = ${new Date(nowMs + REFUSED_MS)}
    from unnest(${refused.map(({ campaign }) => campaign.merchant_id)}::text[],
      ${refused.map(({ campaign }) => campaign.campaign_id)}::text[]) as r (merchant_id, campaign_id)
    where t.merchant_id = r.merchant_id and t.campaign_id = r.campaign_id
  `.execute(trx);
}
