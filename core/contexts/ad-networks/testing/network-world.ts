import { createAdAccounts, derivedAccountId } from '../accounts.ts';
import { connectAdNetworks, sameCredentials } from '../connect.ts';
import { createAdNetworkDriver } from '../driver.ts';
import type { AdAccount, AdNetwork } from '../network.ts';
import { recordLive } from '../writes.ts';
import { declareIntents } from '../../../database/intents.ts';
import type { EffectCall, EffectContext } from '../../../events/destination.ts';
import type { Emission } from '../../../events/handler.ts';
import { dayOf, systemClock } from '../../../runtime/clock.ts';
import { createWorld } from '../../../testing/world.ts';

/** A merchant with an account at Meta, and the driver's calls made and recorded as an effect actor would. */
export async function setUpNetwork() {
  const world = await createWorld();
  const { db } = world.postgres;
  const time = { aheadMs: 0 };
  const clock = { ...systemClock, now: () => systemClock.now() + time.aheadMs };
  const merchantId = `shop-${world.stack}`;
  const account: AdAccount = { accountId: derivedAccountId(merchantId), currency: 'EUR', timeZone: 'UTC' };
  const networks = connectAdNetworks({ baseUrl: world.networksUrl, credentials: sameCredentials('t'), clock });
  const accounts = createAdAccounts({ clock, accountIdOf: () => Promise.resolve(account.accountId) });
  const driver = createAdNetworkDriver({ networks, accounts, clock, db });
  const meta = networks.find(({ id }) => id === 'meta');
  if (meta === undefined) throw new Error('there is no Meta');
  const signal = () => AbortSignal.timeout(20_000);
  const destination = 'ad-network:meta';

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

  return {
    world,
    db,
    merchantId,
    account,
    driver,
    meta: meta satisfies AdNetwork,
    time,
    clock,
    signal,
    callOf,
    /** Sends and records; gives what was emitted. */
    async carryOut(more: Partial<EffectCall>): Promise<Emission[]> {
      const call = callOf(more);
      const result = await driver.send(call, signal());
      const emissions: Emission[] = [];
      const context: EffectContext = {
        now: clock.now(),
        emit: (emission) => void emissions.push(emission),
        intend: () => undefined,
      };
      await db.transaction().execute((trx) => driver.recordSuccess(trx, call, result, undefined, context));
      return emissions;
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
            ad_network_id: 'meta',
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
        await recordLive(trx, call, 'meta', result, now);
        await trx.updateTable('intents').set({ state: 'done' }).where('object_key', '=', campaignId).execute();
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
