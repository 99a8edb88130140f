import { type Transaction, sql } from 'kysely';
import { raiseSalesVersions } from './writes.ts';
import { tellOwner } from '../notifications/events.ts';
import { tellApps } from '../webhooks/events.ts';
import type { Database } from '../../database/tables.ts';
import { decimalOf } from '../../money/currency.ts';
import type { ScheduledEvent, ScheduledPage, ScheduledTurn } from '../../schedules/definition.ts';

interface Turned {
  merchantId: string;
  offerId: string;
  name: string;
  /** Of its starts and ends: names the event. */
  turns: number;
  startsAt: Date;
  before: 'scheduled' | 'running';
  state: 'running' | 'ended';
  endedBy: 'schedule' | 'budget' | null;
  spentMinor: number;
  currency: string;
}

/**
 * Starts offers whose time has come and ends those whose time or budget is over, a page of merchants at a time. An offer whose
 * whole time went by unseen ends without having started, and nobody is told of a start.
 */
export async function turnOffers(
  trx: Transaction<Database>,
  { after, limit, nowMs }: Pick<ScheduledTurn, 'after' | 'limit' | 'nowMs'>,
): Promise<ScheduledPage> {
  const now = sql`${new Date(nowMs)}::timestamptz`;
  const { rows: merchants } = await sql<{ merchantId: string }>`
    select merchant_id as "merchantId" from offers where due_at <= ${now} and merchant_id > ${after}
    union
    select merchant_id from offers where state = 'running' and spent_minor >= budget_minor and merchant_id > ${after}
    order by 1 limit ${limit}
  `.execute(trx);
  const page = merchants.map(({ merchantId }) => merchantId);
  const { rows: turned } = await sql<Turned>`
    with due as (
      select merchant_id, offer_id, state,
        case when spent_minor >= budget_minor then 'budget' when ends_at <= ${now} then 'schedule' end as ended_by
      from offers
      where merchant_id = any(${page}::text[]) and state in ('scheduled', 'running')
        and (due_at <= ${now} or spent_minor >= budget_minor and state = 'running')
      order by merchant_id, offer_id for update
    ), judged as (
      select *, case when state = 'scheduled' and ended_by is not null then 0 else 1 end as told from due
    )
    update offers o set
      state = case when judged.ended_by is null then 'running' else 'ended' end,
      ended_by = judged.ended_by,
      due_at = case when judged.ended_by is null then o.ends_at end,
      turns = o.turns + judged.told, turned_at = case judged.told when 1 then ${now} else o.turned_at end,
      updated_at = greatest(${now}, o.updated_at + interval '1 millisecond')
    from judged where o.merchant_id = judged.merchant_id and o.offer_id = judged.offer_id
    returning o.merchant_id as "merchantId", o.offer_id as "offerId", o.name, o.turns, o.starts_at as "startsAt",
      judged.state as before, o.state, o.ended_by as "endedBy", o.spent_minor as "spentMinor", o.currency
  `.execute(trx);
  await raiseSalesVersions(
    trx,
    turned.map(({ merchantId }) => merchantId),
  );
  const events = turned
    .filter(({ before, state }) => !(before === 'scheduled' && state === 'ended'))
    .flatMap((offer) => told(offer, nowMs));
  return { events, next: merchants.length < limit ? undefined : page.at(-1) };
}

function told(offer: Turned, nowMs: number): ScheduledEvent[] {
  const { merchantId, offerId, turns, name, state, startsAt, endedBy, spentMinor, currency } = offer;
  const at = new Date(nowMs).toISOString();
  const key = `${offerId}/${turns}`;
  const data = { offerId, name, startsAt: startsAt.toISOString(), endedBy, spentMinor, currency };
  const apps = { merchantId, key, ...tellApps(state === 'running' ? 'offer.started' : 'offer.ended', data, at) };
  if (endedBy !== 'budget') return [apps];
  const filling = { offerName: name, amount: `${decimalOf(spentMinor, currency)} ${currency}` };
  return [apps, { merchantId, key, ...tellOwner('offer-budget-spent', key, filling, at) }];
}
