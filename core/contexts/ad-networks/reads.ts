import type { Transaction } from 'kysely';
import type { Database } from '../../database/tables.ts';

export interface NetworkState {
  campaignId: string;
  adNetworkId: string;
  desiredState: string;
  desiredEventId: string;
  desiredAt: Date;
  /** live: the network holds what is desired. failed: it was given up, with the error. */
  status: 'pending' | 'live' | 'failed';
  actualState: string | null;
  externalId: string | null;
  errorCode: string | null;
  errorMessage: string | null;
  syncedAt: Date | null;
}

/** The networks' states of several campaigns of a merchant, by campaign and network. */
export async function readNetworkStates(
  trx: Transaction<Database>,
  merchantId: string,
  campaignIds: readonly string[],
): Promise<NetworkState[]> {
  if (campaignIds.length === 0) return [];
  return await trx
    .selectFrom('campaign_network_states')
    .select([
      'campaign_id as campaignId',
      'ad_network_id as adNetworkId',
      'desired_state as desiredState',
      'desired_event_id as desiredEventId',
      'desired_at as desiredAt',
      'status',
      'actual_state as actualState',
      'external_id as externalId',
      'error_code as errorCode',
      'error_message as errorMessage',
      'synced_at as syncedAt',
    ])
    .where('merchant_id', '=', merchantId)
    .where('campaign_id', 'in', campaignIds)
    .orderBy('campaign_id')
    .orderBy('ad_network_id')
    .execute();
}
