import type { Selectable, Transaction } from 'kysely';
import type { CampaignsTables } from './tables.ts';
import type { Database } from '../../database/tables.ts';
import { type BuiltEvent, buildEvent } from '../../events/build.ts';
import type { Registry } from '../../events/registry.ts';
import { newId } from '../../runtime/ids.ts';
import type { requestedStates } from './events.ts';

export type CampaignRow = Selectable<CampaignsTables['campaigns']>;
export type RequestedState = (typeof requestedStates)[number];

/** Where a request comes from, for the events it causes. */
export interface CommandOrigin {
  registry: Registry;
  correlationId: string;
  traceparent: string;
  userId?: string;
}

/** A campaign as it was just written: its `updated_at` is the time of the command. */
export interface Command {
  campaign: CampaignRow;
  state: RequestedState;
}

/**
 * Writes an operation for each command and builds the events that carry them; the caller appends these to the outbox as the
 * last statement of the transaction. The operation's id is the event's.
 */
export async function issueCommands(
  trx: Transaction<Database>,
  origin: CommandOrigin,
  commands: readonly Command[],
): Promise<{ operationIds: string[]; events: BuiltEvent[] }> {
  if (commands.length === 0) return { operationIds: [], events: [] };
  const issued = commands.map((command) => ({ ...command, operationId: newId() }));
  await trx
    .insertInto('operations')
    .values(
      issued.map(({ campaign, state, operationId }) => ({
        merchant_id: campaign.merchant_id,
        operation_id: operationId,
        campaign_id: campaign.campaign_id,
        version: campaign.version,
        requested_state: state,
        created_at: campaign.updated_at,
      })),
    )
    .execute();
  const events = issued.map(({ campaign, state, operationId }) => {
    const timestamp = campaign.updated_at.toISOString();
    return buildEvent(origin.registry, {
      eventId: operationId,
      eventType: 'CampaignStateChangeRequestedEvent',
      merchantId: campaign.merchant_id,
      correlationId: origin.correlationId,
      traceparent: origin.traceparent,
      timestamp,
      ...(origin.userId === undefined ? {} : { authentication: { userId: origin.userId } }),
      payload: {
        campaignId: campaign.campaign_id,
        merchantId: campaign.merchant_id,
        requestedState: state,
        adNetworkIds: campaign.ad_network_ids,
        timestamp,
        campaignParametersForSync: {
          name: campaign.name,
          dailyBudgetMinor: campaign.daily_budget_minor,
          currency: campaign.currency,
          productIds: campaign.product_ids,
          ...(campaign.start_at === null ? {} : { startAt: campaign.start_at.toISOString() }),
          ...(campaign.end_at === null ? {} : { endAt: campaign.end_at.toISOString() }),
        },
      },
    });
  });
  return { operationIds: issued.map(({ operationId }) => operationId), events };
}
