import { type Transaction, sql } from 'kysely';
import { type CampaignRow, type Command, issueCommands } from './command.ts';
import { appendOutbox, eventRow } from '../../database/outbox.ts';
import type { Database } from '../../database/tables.ts';
import type { Registry } from '../../events/registry.ts';
import { newTraceparent } from '../../runtime/tracing.ts';
import type { ScheduledTurn } from '../../schedules/definition.ts';

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
  const { rows: changed } = await sql<CampaignRow & { before: string }>`
    with due as (
      select c.* from campaigns c join campaign_turns t using (merchant_id, campaign_id)
      where t.due_at <= ${now} and t.merchant_id = any(${page}::text[])
        and (c.state in ('pending', 'active', 'paused') and c.end_at <= ${now}
          or c.state = 'pending' and c.start_at <= ${now})
      order by c.merchant_id, c.campaign_id for update of c
    )
    update campaigns c set
      state = case when due.end_at <= ${now} then 'ended' else 'active' end,
      version = c.version + 1,
      updated_at = greatest(${now}, c.updated_at + interval '1 millisecond')
    from due where c.merchant_id = due.merchant_id and c.campaign_id = due.campaign_id
    returning c.*, due.state as before
  `.execute(trx);
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
  const commands = changed.flatMap(({ before, ...campaign }): Command[] => {
    if (before === 'pending' && campaign.state === 'ended') return [];
    return [{ campaign, state: campaign.state === 'ended' ? 'ended' : 'active' }];
  });
  const origin = { registry, correlationId: `campaigns.follow_schedules:${nowMs}`, traceparent: newTraceparent() };
  const { events } = await issueCommands(trx, origin, commands);
  await appendOutbox(trx, events.map(eventRow), nowMs);
  return merchants.length < limit ? undefined : page.at(-1);
}
