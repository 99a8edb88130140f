import { type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import type { LanewayEvent } from '../../events/envelope.ts';
import { type Outcome, defineHandler, done, skip } from '../../events/handler.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { waitForProducts } from './wait-for-products.ts';
import type { CampaignParameters, CampaignStateChangeRequested } from '../campaigns/events.ts';

/** What an ad network is to hold for a campaign. */
export interface DesiredCampaign extends Record<string, unknown> {
  state: CampaignStateChangeRequested['requestedState'];
  name: string;
  dailyBudgetMinor: number;
  currency: string;
  endAt?: string;
}

/** What was asked of one network before. */
interface Held {
  network: string;
  desiredState: string;
  desiredAt: Date;
  parameters: CampaignParameters;
}

interface Wish {
  network: string;
  parameters: CampaignParameters;
}

type Command = LanewayEvent<CampaignStateChangeRequested>;

/**
 * Writes the desired state of a campaign on each network it names, and an intent for the effect actor to make it true: the
 * call itself is slow and cannot be rolled back, so it has no place in the lane. A command that is older than what is
 * already desired is superseded, and a campaign that ended stays ended.
 */
export const synchronizeCampaignStateWithAdNetworks = defineHandler<CampaignStateChangeRequested>({
  async handle(event, context): Promise<Outcome> {
    const { payload } = event;
    const held = await readHeld(context.trx, event);
    const networks = [...new Set(payload.adNetworkIds)].toSorted();
    const refused: string[] = [];
    const wishes: Wish[] = [];
    for (const network of networks) {
      const reason = whyRefused(
        payload,
        held.find((each) => each.network === network),
      );
      if (reason === undefined) wishes.push({ network, parameters: parametersFor(network, payload, held) });
      else refused.push(`${network}: ${reason}`);
    }
    if (wishes.length === 0) return skip(refused.join('; '));
    const wait = await waitForProducts(event, context);
    if (wait !== undefined) return wait;
    await writeDesired(context.trx, event, wishes);
    for (const { network, parameters } of wishes) {
      const desired: DesiredCampaign = {
        state: payload.requestedState,
        name: parameters.name,
        dailyBudgetMinor: parameters.dailyBudgetMinor,
        currency: parameters.currency,
        ...(parameters.endAt === undefined ? {} : { endAt: parameters.endAt }),
      };
      context.intend(event, { destination: `ad-network:${network}`, objectKey: payload.campaignId, desired });
    }
    return done;
  },
});

function whyRefused(payload: CampaignStateChangeRequested, held: Held | undefined): string | undefined {
  if (held === undefined) return undefined;
  if (Date.parse(payload.timestamp) < held.desiredAt.getTime())
    return `superseded by a command of ${held.desiredAt.toISOString()}`;
  if (held.desiredState === 'ended' && payload.requestedState !== 'ended') return 'the campaign has ended';
  return undefined;
}

/**
 * What a command leaves out stays as it was desired of this network, or, on a network new to the campaign, as it was
 * desired last of any. Throws `payload.invalid` when nothing is known.
 */
function parametersFor(
  network: string,
  { campaignId, campaignParametersForSync: given }: CampaignStateChangeRequested,
  held: readonly Held[],
): CampaignParameters {
  const newestFirst = held.toSorted((a, b) => b.desiredAt.getTime() - a.desiredAt.getTime());
  const known = held.find((each) => each.network === network) ?? newestFirst[0];
  if (given !== undefined) return { ...known?.parameters, ...given };
  if (known !== undefined) return known.parameters;
  throw new LanewayError(
    'payload.invalid',
    `payload.campaignParametersForSync: campaign ${campaignId} is new, so its parameters are needed`,
  );
}

async function readHeld(trx: Transaction<Database>, { merchantId, payload }: Command): Promise<Held[]> {
  return await trx
    .selectFrom('campaign_network_states')
    .select([
      'ad_network_id as network',
      'desired_state as desiredState',
      'desired_at as desiredAt',
      'desired as parameters',
    ])
    .where('merchant_id', '=', merchantId)
    .where('campaign_id', '=', payload.campaignId)
    .orderBy('ad_network_id')
    .execute();
}

/** All networks in one statement, in their order, which is the order of the locks. */
async function writeDesired(
  trx: Transaction<Database>,
  { merchantId, eventId, payload }: Command,
  wishes: readonly Wish[],
): Promise<void> {
  await sql`
    insert into campaign_network_states (merchant_id, campaign_id, ad_network_id, desired_state, desired_event_id,
      desired, status, desired_at)
    select ${merchantId}, ${payload.campaignId}, network, ${payload.requestedState}, ${eventId}, parameters, 'pending',
      ${new Date(payload.timestamp)}::timestamptz
    from unnest(${wishes.map((w) => w.network)}::text[], ${wishes.map((w) => JSON.stringify(w.parameters))}::jsonb[])
      as wish (network, parameters)
    order by network collate "C"
    on conflict (merchant_id, campaign_id, ad_network_id) do update set
      desired_state = excluded.desired_state, desired_event_id = excluded.desired_event_id,
      desired = excluded.desired, status = 'pending', desired_at = excluded.desired_at,
      error_code = null, error_message = null
  `.execute(trx);
}
