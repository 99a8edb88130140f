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

/** A command with the event that carries it. */
export interface BuiltCommand extends Command {
  event: BuiltEvent;
}

/**
 * Writes an operation for each command and builds the events that carry them; the caller appends these to the outbox as the
 * last statement of the transaction. The operation's id is the event's. Throws `payload.invalid`.
 */
export async function issueCommands(
  trx: Transaction<Database>,
  origin: CommandOrigin,
  commands: readonly Command[],
): Promise<{ operationIds: string[]; events: BuiltEvent[] }> {
  const built = commands.map((command): BuiltCommand => ({ ...command, event: buildCommand(origin, command) }));
  await writeOperations(trx, built);
  const events = built.map(({ event }) => event);
  return { operationIds: events.map(({ eventId }) => eventId), events };
}

export async function writeOperations(trx: Transaction<Database>, commands: readonly BuiltCommand[]): Promise<void> {
  if (commands.length === 0) return;
  await trx
    .insertInto('operations')
    .values(
      commands.map(({ campaign, state, event }) => ({
        merchant_id: campaign.merchant_id,
        operation_id: event.eventId,
        campaign_id: campaign.campaign_id,
        version: campaign.version,
        requested_state: state,
        created_at: campaign.updated_at,
      })),
    )
    .execute();
}

/** Throws `payload.invalid` for a campaign that is not what its event may say. */
export function buildCommand(origin: CommandOrigin, { campaign, state }: Command): BuiltEvent {
  const timestamp = campaign.updated_at.toISOString();
  return buildEvent(origin.registry, {
    eventId: newId(),
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
}
