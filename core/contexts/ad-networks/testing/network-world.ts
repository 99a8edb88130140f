import type { Transaction } from 'kysely';
import { createAdAccounts, derivedAccountId } from '../accounts.ts';
import { followAdObjects } from '../ad-object-rows.ts';
import { connectAdNetworks, sameCredentials } from '../connect.ts';
import { createAdNetworkDriver } from '../driver.ts';
import type { AdNetworkId } from '../../campaigns/events.ts';
import type { AdAccount, AdNetwork } from '../network.ts';
import { recordLive } from '../writes.ts';
import { declareIntents } from '../../../database/intents.ts';
import type { Database } from '../../../database/tables.ts';
import type { EffectCall, EffectContext } from '../../../events/destination.ts';
import type { Emission } from '../../../events/handler.ts';
import { dayOf, systemClock } from '../../../runtime/clock.ts';
import { createWorld } from '../../../testing/world.ts';

/** A merchant with an account at a network, and the driver's calls made and recorded as an effect actor would. */
export async function setUpNetwork(networkId: AdNetworkId = 'meta') {
  const world = await createWorld();
  const { db } = world.postgres;
  const time = { aheadMs: 0 };
  const clock = { ...systemClock, now: () => systemClock.now() + time.aheadMs };
  const merchantId = `shop-${world.stack}`;
  const account: AdAccount = { accountId: derivedAccountId(merchantId), currency: 'EUR', timeZone: 'UTC' };
  const networks = connectAdNetworks({ baseUrl: world.networksUrl, credentials: sameCredentials('t'), clock });
  const accounts = createAdAccounts({ clock, accountIdOf: () => Promise.resolve(account.accountId) });
  const driver = createAdNetworkDriver({ networks, accounts, clock, db });
  const meta = networks.find(({ id }) => id === networkId);
  if (meta === undefined) throw new Error(`there is no ${networkId}`);
  const signal = () => AbortSignal.timeout(20_000);
  const destination = `ad-network:${networkId}`;

  const callOf = (more: Partial<EffectCall>): EffectCall => ({
    merchantId,
    destination,
    objectKey: 'cmp-1',
    version: 1,
    desired: {},
    externalId: undefined,
    idempotencyKey: crypto.randomUUID().replaceAll('-', ''),
    eventId: 'event-1',
    correlationId: 'cor-1',
    traceparent: 'tp',
    ...more,
  });

  type Wish = Parameters<EffectContext['intend']>[0];
  /** Sends and records; gives what was emitted, and what is to be done next. */
  const perform = async (more: Partial<EffectCall>): Promise<{ emissions: Emission[]; wishes: Wish[] }> => {
    const call = callOf(more);
    const result = await driver.send(call, signal());
    const emissions: Emission[] = [];
    const wishes: Wish[] = [];
    const context: EffectContext = {
      now: clock.now(),
      emit: (emission) => void emissions.push(emission),
      intend: (wish) => void wishes.push(wish),
    };
    await db.transaction().execute(async (trx) => {
      await driver.recordSuccess(trx, call, result, undefined, context);
      await trx
        .updateTable('intents')
        .set({ state: 'done', external_id: result.externalId })
        .where('object_key', '=', call.objectKey)
        .execute();
      await declare(trx, wishes);
    });
    return { emissions, wishes };
  };
  const follow = async (trx: Transaction<Database>, campaignId: string): Promise<void> => {
    const wishes: Wish[] = [];
    const context = { intend: (wish: Wish) => void wishes.push(wish) };
    await followAdObjects(trx, { merchantId, campaignIds: [campaignId], network: networkId }, context);
    await declare(trx, wishes);
  };
  const declare = async (trx: Transaction<Database>, wishes: readonly Wish[]): Promise<void> => {
    const event = { eventId: 'event-1', eventType: 'CampaignStateChangeRequestedEvent', handler: 'sync', mseq: 1 };
    const context = { day: dayOf(clock.now()), correlationId: 'cor', traceparent: 'tp', deadlineMs: 5_000 };
    const rows = wishes.map((wish) => ({ merchantId, destination, ...wish, ...event, ...context }));
    await declareIntents(trx, rows, clock.now());
  };

  return {
    world,
    db,
    merchantId,
    account,
    driver,
    networks,
    /** The one that the merchant is at. */
    meta: meta satisfies AdNetwork,
    time,
    clock,
    signal,
    callOf,
    /** Sends and records; gives what was emitted. */
    carryOut: async (more: Partial<EffectCall>): Promise<Emission[]> => (await perform(more)).emissions,
    /** Carries out every intent that is open, and what follows from it; gives what the network was told, in order. */
    async carryOutOpen(): Promise<string[]> {
      const told: string[] = [];
      for (let turns = 0; turns < 20; turns++) {
        const open = await db
          .selectFrom('intents')
          .select(['object_key as objectKey', 'version', 'desired', 'external_id as externalId'])
          .where('state', '=', 'pending')
          .orderBy('object_key')
          .execute();
        if (open.length === 0) return told;
        for (const { externalId, ...intent } of open) {
          told.push(`${intent.objectKey} ${externalId === null ? 'new' : 'held'}`);
          await perform({ ...intent, externalId: externalId ?? undefined });
        }
      }
      throw new Error('there is always something open');
    },
    /** Declares what of a campaign's ad sets and ads has changed. */
    follow: (campaignId: string): Promise<void> => db.transaction().execute((trx) => follow(trx, campaignId)),
    /** Ad sets and ads of a campaign as they are to be, and their intents; an ad comes after its ad set. */
    async addAdObjects(
      campaignId: string,
      objects: { objectId: string; adSetId?: string; settings?: Record<string, unknown> }[],
    ): Promise<void> {
      const now = new Date(clock.now());
      const usual = { targeting: {}, billing_event: 'IMPRESSIONS', optimization_goal: 'REACH', creative: {} };
      const rows = objects.map(({ objectId, adSetId, settings = usual }) => ({
        ...{ merchant_id: merchantId, object_id: objectId, campaign_id: campaignId, ad_set_id: adSetId ?? null },
        ...{ kind: adSetId === undefined ? ('ad_set' as const) : ('ad' as const), state: 'active' as const },
        ...{ name: `Name of ${objectId}`, settings: JSON.stringify({ [networkId]: settings }) },
        ...{ created_at: now, updated_at: now },
      }));
      await db.transaction().execute(async (trx) => {
        await trx.insertInto('ad_objects').values(rows).execute();
        await follow(trx, campaignId);
      });
    },
    /** A campaign that rests at Meta as it is desired, with its intent done. */
    async addCampaign(campaignId: string): Promise<string> {
      const desired = { state: 'active', name: `Sale ${campaignId}`, dailyBudgetMinor: 5_000, currency: 'EUR' };
      const call = callOf({ objectKey: campaignId, desired });
      const result = await driver.send(call, signal());
      const now = clock.now();
      const event = { eventId: 'event-1', eventType: 'CampaignStateChangeRequestedEvent', handler: 'sync', mseq: 1 };
      const context = { day: dayOf(now), correlationId: 'cor', traceparent: 'tp', deadlineMs: 5_000 };
      await db.transaction().execute(async (trx) => {
        await trx
          .insertInto('campaign_network_states')
          .values({
            merchant_id: merchantId,
            campaign_id: campaignId,
            ad_network_id: networkId,
            desired_state: 'active',
            desired_event_id: 'event-1',
            desired: JSON.stringify(desired),
            status: 'pending',
            desired_at: new Date(now),
          })
          .execute();
        await declareIntents(
          trx,
          [{ merchantId, destination, objectKey: campaignId, desired, ...event, ...context }],
          now,
        );
        await recordLive(trx, call, networkId, result, now);
        await trx
          .updateTable('intents')
          .set({ state: 'done', external_id: result.externalId })
          .where('object_key', '=', campaignId)
          .execute();
      });
      return result.externalId;
    },
    intents: () =>
      db
        .selectFrom('intents')
        .select(['object_key as objectKey', 'state', 'version', 'desired'])
        .orderBy('object_key')
        .execute(),
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}
