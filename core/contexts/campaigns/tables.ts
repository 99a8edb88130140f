import type { Generated } from 'kysely';

export type CampaignState = 'draft' | 'pending' | 'active' | 'paused' | 'ended';

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
}
