import type { ColumnType, Generated } from 'kysely';

export type CampaignState =
  'draft' | 'awaiting_approval' | 'pending' | 'active' | 'paused' | 'ended' | 'archived' | 'rejected';

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
  /** Campaigns whose schedule has something to do at a time. */
  campaign_turns: { merchant_id: string; campaign_id: string; due_at: Date };
}
