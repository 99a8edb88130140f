import type { ColumnType, Generated } from 'kysely';
import type { ShownSettings } from './compare-settings.ts';
import type { HeldContent } from './reads.ts';
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
  /** How far a network has followed an ad set or ad. */
  ad_object_network_states: {
    merchant_id: string;
    object_id: string;
    ad_network_id: string;
    /** Of the object, as the network was last told of it. */
    desired_version: number;
    status: 'pending' | 'live' | 'failed';
    actual_state: string | null;
    external_id: string | null;
    error_code: string | null;
    error_message: string | null;
    synced_at: Date | null;
    /** Name and settings as the network holds them, as far as is known, or as it is asked to make them. */
    held: ColumnType<HeldContent | null, string | null, string | null>;
    /** What it showed of settings that it was told of again. */
    shown: ColumnType<ShownSettings | null, string | null | undefined, string | null>;
  };
  /** Since when a command has waited for a product that is not known yet. */
  campaign_product_waits: { merchant_id: string; event_id: string; since: Date };
  /** How far a network has followed a segment. */
  audience_network_states: {
    merchant_id: string;
    segment_id: string;
    ad_network_id: string;
    status: 'pending' | 'live' | 'failed' | 'deleted';
    external_id: string | null;
    /** Of the last change of a member that the network holds. */
    synced_seq: number;
    error_code: string | null;
    error_message: string | null;
    updated_at: Date;
  };
  ad_accounts: { merchant_id: string; ad_network_id: string; account_id: string; connected_at: Date };
  /** What was last read of a day of a campaign, so that only changes are published. */
  performance_reads: {
    merchant_id: string;
    ad_network_id: string;
    campaign_id: string;
    report_date: string;
    figures_hash: string;
    read_at: Date;
  };
  /** What was last read of a day of an ad. */
  ad_performance_reads: {
    merchant_id: string;
    ad_network_id: string;
    report_date: string;
    ad_id: string;
    figures_hash: string;
    read_at: Date;
  };
  /** Campaigns at a network that were not made through us. */
  outside_campaigns: {
    merchant_id: string;
    ad_network_id: string;
    external_id: string;
    name: string;
    state: string;
    daily_budget_minor: number | null;
    currency: string;
    first_seen_at: Date;
    last_seen_at: Date;
  };
  /** What the last comparison with a network found. */
  reconciliations: {
    merchant_id: string;
    ad_network_id: string;
    reconciled_at: Date;
    campaigns: number;
    drifted: number;
    twins: number;
    ended_outside: number;
    outside: number;
    ad_objects: Generated<number>;
    ad_objects_drifted: Generated<number>;
    ad_objects_missing: Generated<number>;
    ad_objects_twins: Generated<number>;
    ad_objects_outside: Generated<number>;
  };
  /** Ad sets and ads in our campaigns at a network that were not made through us. */
  outside_ad_objects: {
    merchant_id: string;
    ad_network_id: string;
    kind: 'ad_set' | 'ad';
    external_id: string;
    parent_external_id: string;
    /** Null for ads of networks that do not name them. */
    name: string | null;
    state: 'active' | 'paused';
    first_seen_at: Date;
    last_seen_at: Date;
  };
}
