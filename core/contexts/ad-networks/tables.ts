import type { ColumnType } from 'kysely';
import type { CampaignParameters } from '../campaigns/events.ts';

export interface AdNetworksTables {
  campaign_network_states: {
    merchant_id: string;
    campaign_id: string;
    ad_network_id: string;
    desired_state: string;
    desired_event_id: string;
    /** Parameters as last asked for: a command without parameters keeps them. */
    desired: ColumnType<CampaignParameters, string, string>;
    status: 'pending' | 'live' | 'failed';
    actual_state: string | null;
    external_id: string | null;
    error_code: string | null;
    error_message: string | null;
    desired_at: Date;
    synced_at: Date | null;
  };
}
