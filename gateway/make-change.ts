import type { Context } from 'hono';
import type { Transaction } from 'kysely';
import { actorOf } from './actor.ts';
import type { GatewayDependencies, GatewayEnv } from './context.ts';
import { type AuditedChange, recordChange } from '../core/operations/record-change.ts';
import { appendOutbox, eventRow } from '../core/database/outbox.ts';
import type { Database } from '../core/database/tables.ts';
import { asMerchant } from '../core/database/transaction.ts';
import type { BuiltEvent } from '../core/events/build.ts';
import { LanewayError } from '../core/runtime/errors.ts';

export interface MadeChange<T> extends Pick<AuditedChange, 'action' | 'subject' | 'before' | 'after'> {
  result: T;
  /** Published after the commit. */
  events?: readonly BuiltEvent[];
}

/** Makes a change of the caller's merchant, with its record and its events, in one transaction. */
export async function makeChange<T>(
  { db, clock }: Pick<GatewayDependencies, 'db' | 'clock'>,
  c: Context<GatewayEnv>,
  work: (trx: Transaction<Database>, merchantId: string, nowMs: number) => Promise<MadeChange<T>>,
): Promise<T> {
  const merchantId = c.get('merchantId');
  const nowMs = clock.now();
  return await asMerchant(db, merchantId, async (trx) => {
    const { result, events = [], ...what } = await work(trx, merchantId, nowMs);
    const actor = actorOf(c.get('principal'));
    await recordChange(trx, { merchantId, actor, correlationId: c.get('correlationId'), ...what }, nowMs);
    await appendOutbox(trx, events.map(eventRow), nowMs);
    if (c.get('deadline').aborted) throw new LanewayError('handler.deadline', 'nobody waits for the answer any more');
    return result;
  });
}
