import type { ColumnType, Generated } from 'kysely';
import type { AdNetworkId } from './events.ts';

export type CampaignState =
  'draft' | 'awaiting_approval' | 'pending' | 'active' | 'paused' | 'ended' | 'archived' | 'rejected';

/** What a network is to be told of an ad set or ad beside name, state and place, by network. */
export type AdObjectSettings = Partial<Record<AdNetworkId, Record<string, unknown>>>;

export interface CampaignsTables {
  campaigns: {
    merchant_id: string;
    campaign_id: string;
    name: string;
    state: CampaignState;
    ad_network_ids: string[];
    daily_budget_minor: number;
    currency: string;
    product_ids: Generated<string[]>;
    /** Counts the changes a merchant asked for. */
    version: Generated<number>;
    created_at: Date;
    updated_at: Date;
    start_at: Date | null;
    end_at: Date | null;
    /** While it waits for approval: the state that was asked for. */
    requested_state: 'active' | 'paused' | null;
    /** Why it was rejected, and who decided. */
    review_reason: string | null;
    reviewed_by: string | null;
  };
  operations: {
    merchant_id: string;
    /** The id of the command event that carries the request. */
    operation_id: string;
    campaign_id: string;
    version: number;
    requested_state: string;
    created_at: Date;
  };
  campaign_settings: { merchant_id: string; approval_required: boolean; updated_at: Date };
  /** How many starts and ends of its offers a campaign has followed. */
  campaign_offer_turns: { merchant_id: string; campaign_id: string; turns: number };
  campaign_rules: {
    merchant_id: string;
    rule_id: string;
    name: string;
    enabled: boolean;
    definition: ColumnType<unknown, string, string>;
    created_at: Date;
    updated_at: Date;
  };
  /** Where a campaign stands with a rule that has tripped for it before. */
  campaign_rule_states: {
    merchant_id: string;
    rule_id: string;
    campaign_id: string;
    tripped: boolean;
    value: number | null;
    changed_at: Date;
    /** Which version of the campaign the rule made by pausing it. */
    paused_version: number | null;
  };
  /** Ad sets of campaigns, and ads of ad sets. */
  ad_objects: {
    merchant_id: string;
    object_id: string;
    campaign_id: string;
    kind: 'ad_set' | 'ad';
    /** Of an ad. */
    ad_set_id: string | null;
    name: string;
    state: 'active' | 'paused' | 'ended';
    /** By network, in the network's own words. */
    settings: ColumnType<AdObjectSettings, string, string>;
    version: Generated<number>;
    created_at: Date;
    updated_at: Date;
  };
  /** Campaigns whose schedule has something to do at a time. */
  campaign_turns: { merchant_id: string; campaign_id: string; due_at: Date };
}
