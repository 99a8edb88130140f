import { type Transaction, sql } from 'kysely';
import { tellOwner } from '../notifications/events.ts';
import { tellApps } from '../webhooks/events.ts';
import type { Database } from '../../database/tables.ts';
import type { ScheduledEvent, ScheduledPage, ScheduledTurn } from '../../schedules/definition.ts';

export const EVERY_MS = 3_600_000;
/** A pair is settled at a time of before its commit: what was under way for longer than this was given up by its lane. */
const LAG_MS = 300_000;

interface GivenUp {
  merchantId: string;
  /** How many times each handler, and each destination, gave up. */
  by: Record<string, number>;
}

/**
 * Tells merchants of what was given up in the hour before, one notification and one webhook for all of it: whoever's feed is
 * wrong throughout is not to get thousands. A notification that was given up itself is left out, as the next would be too.
 */
export async function tellDeadLetters(
  trx: Transaction<Database>,
  { period, after, limit }: Pick<ScheduledTurn, 'period' | 'after' | 'limit'>,
): Promise<ScheduledPage> {
  const [from, until] = [new Date(period.startMs - LAG_MS - EVERY_MS), new Date(period.startMs - LAG_MS)];
  const { rows } = await sql<GivenUp>`
    with dead as (
      select merchant_id, handler as what from settlements
      where outcome = 'dead' and settled_at >= ${from} and settled_at < ${until} and merchant_id > ${after}
        and handler <> 'dispatchNotification'
      union all
      select merchant_id, destination from intents
      where state = 'dead' and updated_at >= ${from} and updated_at < ${until} and merchant_id > ${after}
        and event_type <> 'NotificationDispatchRequestedEvent'
    ), counted as (
      select merchant_id, what, count(*) as times from dead group by merchant_id, what
    )
    select merchant_id as "merchantId", jsonb_object_agg(what, times) as by from counted
    -- Lanes of the platform and of networks are no merchants.
    where exists (select from merchants m where m.merchant_id = counted.merchant_id)
    group by merchant_id order by merchant_id limit ${limit}
  `.execute(trx);
  const events = rows.flatMap((row) => told(row, from, until));
  return { events, next: rows.length < limit ? undefined : rows.at(-1)?.merchantId };
}

function told({ merchantId, by }: GivenUp, from: Date, until: Date): ScheduledEvent[] {
  const at = until.toISOString();
  const names = Object.keys(by).toSorted();
  const count = names.reduce((sum, name) => sum + (by[name] ?? 0), 0);
  const what = names.map((name) => `${name} (${by[name]})`).join(', ');
  const filling = { count, what, since: `${from.toISOString().slice(0, 16).replace('T', ' ')} UTC` };
  return [
    { merchantId, ...tellOwner('events-given-up', at, filling, at) },
    { merchantId, ...tellApps('events.given_up', { count, by, from: from.toISOString(), until: at }, at) },
  ];
}
