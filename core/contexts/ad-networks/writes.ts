import { type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import type { EffectCall, EffectResult } from '../../events/destination.ts';
import type { LanewayError } from '../../runtime/errors.ts';

/**
 * Notes what the network holds now. The state becomes `live` only if this call carried what is desired: a call that was
 * overtaken by a newer command tells the truth about the network and nothing about that command.
 */
export async function recordLive(
  trx: Transaction<Database>,
  call: EffectCall,
  network: string,
  result: EffectResult,
  nowMs: number,
): Promise<void> {
  const isCurrent = sql`desired_event_id = ${call.eventId}`;
  await sql`
    update campaign_network_states set
      external_id = ${result.externalId},
      actual_state = ${String(result.actual['state'])},
      synced_at = ${new Date(nowMs)}::timestamptz,
      status = case when ${isCurrent} then 'live' else status end,
      error_code = case when ${isCurrent} then null else error_code end,
      error_message = case when ${isCurrent} then null else error_message end
    where merchant_id = ${call.merchantId} and campaign_id = ${call.objectKey} and ad_network_id = ${network}
  `.execute(trx);
}

export async function recordNetworkFailure(
  trx: Transaction<Database>,
  call: EffectCall,
  network: string,
  error: LanewayError,
  nowMs: number,
): Promise<void> {
  await trx
    .updateTable('campaign_network_states')
    .set({
      status: 'failed',
      error_code: error.code,
      error_message: error.message.slice(0, 500),
      synced_at: new Date(nowMs),
    })
    .where('merchant_id', '=', call.merchantId)
    .where('campaign_id', '=', call.objectKey)
    .where('ad_network_id', '=', network)
    .where('desired_event_id', '=', call.eventId)
    .execute();
}
