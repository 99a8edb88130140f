import * as assert from 'uvu/assert';
import { z } from 'zod';
import { type EffectActorOptions, type EffectActors, createEffectActors } from '../effects.ts';
import { connectDynamoDB } from '../../core/clients/dynamodb.ts';
import { connectRedis } from '../../core/clients/redis.ts';
import { createAdAccounts, derivedAccountId } from '../../core/contexts/ad-networks/accounts.ts';
import { connectAdNetworks, sameCredentials } from '../../core/contexts/ad-networks/connect.ts';
import { createAdNetworkDriver } from '../../core/contexts/ad-networks/driver.ts';
import { declareIntents } from '../../core/database/intents.ts';
import type { DestinationDriver } from '../../core/events/destination.ts';
import { registry } from '../../core/events/registry.ts';
import { type Clock, dayOf, systemClock } from '../../core/runtime/clock.ts';
import { silentLog } from '../../core/runtime/log.ts';
import { createDynamoTable } from '../../core/testing/dynamo-table.ts';
import { seedInbox } from '../../core/testing/engine.ts';
import { waitFor } from '../../core/testing/wait-for.ts';
import { type World, createWorld } from '../../core/testing/world.ts';

const loggedCalls = z.object({
  calls: z.array(
    z.object({
      account: z.string(),
      op: z.string(),
      body: z.object({ status: z.string().optional(), name: z.string().optional() }),
    }),
  ),
});
const listedCampaigns = z.object({ data: z.array(z.object({ id: z.string() })) });

const LEASE_MS = 1_500;
const DEADLINE_MS = 700;
export const destination = 'ad-network:meta';

export interface EffectWorld extends AsyncDisposable {
  world: World;
  merchantId: string;
  /** Starts actors in this process; stopped with the setup. */
  actors(options?: Partial<EffectActorOptions>): EffectActors;
  redis: ReturnType<typeof connectRedis>;
  driver: DestinationDriver;
  /** Asks for a state of the campaign, as a lane's transaction would. */
  desire(state: string, changes?: { objectKey?: string; name?: string; eventType?: string }): Promise<string>;
  /** Declares an intent of any merchant, without an event or a campaign behind it. */
  declare(key: { merchantId: string; destination: string; objectKey: string }): Promise<void>;
  /** Wakes what is due, as the sweeper does, until the intent is in this state. */
  reaches(state: string, actors: EffectActors): Promise<NonNullable<Awaited<ReturnType<typeof intentOf>>>>;
  fault(kind: string, times: number, on?: string): Promise<void>;
  /** Calls of this merchant that took effect at the network; names without the tag at their end. */
  calls(): Promise<{ op: string; body: { status?: string | undefined; name?: string | undefined } }[]>;
  campaigns(): Promise<{ id: string }[]>;
}

/** Real time, moved ahead by the test. */
export const movableClock = () => {
  const time = { aheadMs: 0 };
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + time.aheadMs };
  return { time, clock };
};

export const intentOf = ({ postgres }: World) =>
  postgres.db.selectFrom('intents').selectAll().orderBy('object_key').executeTakeFirst();

/** Effect actors against a fake network, as one merchant's lane would feed them. */
export async function setUpEffects(): Promise<EffectWorld> {
  const world = await createWorld();
  const merchantId = `shop-${world.stack}`;
  const account = derivedAccountId(merchantId);
  const redis = connectRedis(world.redisUrl, world.stack);
  const dynamodb = connectDynamoDB();
  const claimsTable = `${world.stack}-claims`;
  await createDynamoTable(dynamodb, claimsTable);
  const { db } = world.postgres;
  const networks = connectAdNetworks({
    baseUrl: world.networksUrl,
    credentials: sameCredentials('test'),
    clock: systemClock,
  });
  const accountIdOf = () => Promise.resolve(account);
  const accounts = createAdAccounts({ clock: systemClock, accountIdOf });
  const driver = createAdNetworkDriver({ networks, accounts, clock: systemClock, db });
  const started: EffectActors[] = [];
  return {
    world,
    merchantId,
    redis,
    driver,
    actors(options = {}) {
      const actors = createEffectActors({
        db,
        redis,
        prefix: world.stack,
        dynamodb,
        claimsTable,
        drivers: () => driver,
        registry,
        worker: `w${started.length}`,
        leaseMs: LEASE_MS,
        concurrency: 4,
        clock: systemClock,
        log: silentLog,
        retry: { retries: 3, baseMs: 20, capMs: 100 },
        ...options,
      });
      started.push(actors);
      actors.start();
      return actors;
    },
    async desire(state, { objectKey = 'c1', name = 'Sale', eventType = 'CampaignStateChangeRequestedEvent' } = {}) {
      const eventId = crypto.randomUUID();
      const [mseq = 0] = await seedInbox(db, [{ merchantId, eventType, eventId, payload: { state } }]);
      const now = systemClock.now();
      await db.transaction().execute(async (trx) => {
        const network = { merchant_id: merchantId, campaign_id: objectKey, ad_network_id: 'meta' };
        const desired = { state, name, dailyBudgetMinor: 5_000, currency: 'EUR' };
        const json = JSON.stringify(desired);
        const wanted = { desired_state: state, desired: json, desired_event_id: eventId, status: 'pending' as const };
        await trx
          .insertInto('campaign_network_states')
          .values({ ...network, ...wanted, desired_at: new Date(now) })
          .onConflict((c) => c.columns(['merchant_id', 'campaign_id', 'ad_network_id']).doUpdateSet(wanted))
          .execute();
        const declared = { merchantId, destination, objectKey, desired, eventId, eventType, handler: 'sync', mseq };
        const context = { day: dayOf(now), correlationId: 'cor', traceparent: 'tp', deadlineMs: DEADLINE_MS };
        await declareIntents(trx, [{ ...declared, ...context }], now);
      });
      return eventId;
    },
    declare: (key) =>
      db.transaction().execute(async (trx) => {
        const event = { eventId: 'e', eventType: 'CampaignStateChangeRequestedEvent', handler: 'sync', mseq: 1 };
        const now = systemClock.now();
        const context = { day: dayOf(now), correlationId: 'cor', traceparent: 'tp', deadlineMs: DEADLINE_MS };
        await declareIntents(trx, [{ ...key, ...event, ...context, desired: { state: 'active' } }], now);
      }),
    reaches: (state, actors) =>
      waitFor(`the intent to be ${state}`, async () => {
        const due = await db
          .selectFrom('effect_lanes')
          .select(['merchant_id as merchantId', 'destination'])
          .where('due_at', '<=', new Date(systemClock.now()))
          .execute();
        if (due.length > 0) await actors.wake(due);
        const intent = await intentOf(world);
        return intent?.state === state ? intent : undefined;
      }),
    async fault(kind, times, on = 'writes') {
      const response = await fetch(`${world.networksUrl}/_control/faults`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify([{ network: 'meta', account, kind, times, on }]),
      });
      assert.is(response.status, 201);
    },
    async calls() {
      // The log is of all accounts.
      const log = loggedCalls.parse(await (await fetch(`${world.networksUrl}/_log`)).json());
      return log.calls
        .filter((call) => call.account === account)
        .map(({ op, body }) => ({ op, body: { ...body, name: body.name?.replace(/ \(lw-\w+\)$/, '') } }));
    },
    async campaigns() {
      const answer = await fetch(`${world.networksUrl}/meta/v26.0/act_${account}/campaigns`, {
        headers: { authorization: 'Bearer test' },
      });
      return listedCampaigns.parse(await answer.json()).data;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(started.map((actors) => actors.stop()));
      redis.disconnect();
      dynamodb.destroy();
      await world[Symbol.asyncDispose]();
    },
  };
}
