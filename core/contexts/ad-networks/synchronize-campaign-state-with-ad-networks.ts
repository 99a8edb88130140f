import type { Transaction } from 'kysely';
import type { Database } from '../../database/tables.ts';
import { type Outcome, defineHandler, done, skip } from '../../events/handler.ts';
import { LanewayError } from '../../runtime/errors.ts';
import type { CampaignParameters, CampaignStateChangeRequested } from '../campaigns/events.ts';

/** What an ad network is to hold for a campaign. */
export interface DesiredCampaign extends Record<string, unknown> {
  state: CampaignStateChangeRequested['requestedState'];
  name: string;
  dailyBudgetMinor: number;
  currency: string;
}

/**
 * Writes the desired state of a campaign on each network it names, and an intent for the effect actor to make it true: the
 * call itself is slow and cannot be rolled back, so it has no place in the lane. A command that is older than what is
 * already desired is superseded, and a campaign that ended stays ended.
 */
export const synchronizeCampaignStateWithAdNetworks = defineHandler<CampaignStateChangeRequested>({
  async handle(event, context): Promise<Outcome> {
    const { merchantId, payload } = event;
    const desiredAt = new Date(payload.timestamp);
    const held = await readNetworkStates(context.trx, merchantId, payload.campaignId);
    const networks = [...new Set(payload.adNetworkIds)].toSorted();
    const parameters =
      payload.campaignParametersForSync ??
      held.find((row) => networks.some((network) => network === row.network))?.desired;
    if (parameters === undefined)
      throw new LanewayError(
        'payload.invalid',
        `payload.campaignParametersForSync: campaign ${payload.campaignId} is new, so its parameters are needed`,
      );
    const refused: string[] = [];
    for (const network of networks) {
      const current = held.find((row) => row.network === network);
      if (current !== undefined && desiredAt < current.desiredAt) {
        refused.push(`${network}: superseded by a command of ${current.desiredAt.toISOString()}`);
        continue;
      }
      if (current?.desiredState === 'ended' && payload.requestedState !== 'ended') {
        refused.push(`${network}: the campaign has ended`);
        continue;
      }
      await writeDesired(context.trx, {
        merchantId,
        campaignId: payload.campaignId,
        network,
        state: payload.requestedState,
        eventId: event.eventId,
        parameters,
        desiredAt,
      });
      const desired: DesiredCampaign = {
        state: payload.requestedState,
        name: parameters.name,
        dailyBudgetMinor: parameters.dailyBudgetMinor,
        currency: parameters.currency,
      };
      context.intend(event, { destination: `ad-network:${network}`, objectKey: payload.campaignId, desired });
    }
    return refused.length === networks.length ? skip(refused.join('; ')) : done;
  },
});

async function readNetworkStates(trx: Transaction<Database>, merchantId: string, campaignId: string) {
  return await trx
    .selectFrom('campaign_network_states')
    .select(['ad_network_id as network', 'desired_state as desiredState', 'desired_at as desiredAt', 'desired'])
    .where('merchant_id', '=', merchantId)
    .where('campaign_id', '=', campaignId)
    .orderBy('ad_network_id')
    .execute();
}

async function writeDesired(
  trx: Transaction<Database>,
  wish: {
    merchantId: string;
    campaignId: string;
    network: string;
    state: string;
    eventId: string;
    parameters: CampaignParameters;
    desiredAt: Date;
  },
): Promise<void> {
  const desired = {
    desired_state: wish.state,
    desired_event_id: wish.eventId,
    desired: JSON.stringify(wish.parameters),
    status: 'pending' as const,
    desired_at: wish.desiredAt,
    error_code: null,
    error_message: null,
  };
  await trx
    .insertInto('campaign_network_states')
    .values({
      merchant_id: wish.merchantId,
      campaign_id: wish.campaignId,
      ad_network_id: wish.network,
      actual_state: null,
      external_id: null,
      synced_at: null,
      ...desired,
    })
    .onConflict((conflict) => conflict.columns(['merchant_id', 'campaign_id', 'ad_network_id']).doUpdateSet(desired))
    .execute();
}
