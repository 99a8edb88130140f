import { type Kysely, sql } from 'kysely';
import type { Database } from '../../core/database/tables.ts';

export interface CampaignOnNetwork {
  campaignId: string;
  /** Null for a campaign that this system did not create and was only told about. */
  name: string | null;
  state: string | null;
  adNetworkId: string;
  desiredState: string;
  actualState: string | null;
  status: 'pending' | 'live' | 'failed';
  externalId: string | null;
  errorCode: string | null;
  desiredAt: Date;
  syncedAt: Date | null;
}

/** A merchant's campaigns per network, latest changes first. */
export async function readCampaigns(
  db: Kysely<Database>,
  merchantId: string,
  limit: number,
): Promise<readonly CampaignOnNetwork[]> {
  const { rows } = await sql<CampaignOnNetwork>`
    select n.campaign_id as "campaignId", c.name, c.state, n.ad_network_id as "adNetworkId",
      n.desired_state as "desiredState", n.actual_state as "actualState", n.status, n.external_id as "externalId",
      n.error_code as "errorCode", n.desired_at as "desiredAt", n.synced_at as "syncedAt"
    from campaign_network_states n left join campaigns c using (merchant_id, campaign_id)
    where n.merchant_id = ${merchantId}
    order by n.desired_at desc, n.campaign_id, n.ad_network_id limit ${limit}
  `.execute(db);
  return rows;
}
