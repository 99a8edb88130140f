import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { type EffectActors, createEffectActors } from './effects.ts';
import { connectDynamoDB } from '../core/clients/dynamodb.ts';
import { connectRedis } from '../core/clients/redis.ts';
import { createAdAccounts, derivedAccountId } from '../core/contexts/ad-networks/accounts.ts';
import { campaignTag, tagIn, taggedName } from '../core/contexts/ad-networks/campaign-name.ts';
import { connectAdNetworks, sameCredentials } from '../core/contexts/ad-networks/connect.ts';
import { createAdNetworkDriver } from '../core/contexts/ad-networks/driver.ts';
import { declareIntents } from '../core/database/intents.ts';
import type { DestinationDriver, EffectCall } from '../core/events/destination.ts';
import { registry } from '../core/events/registry.ts';
import { dayOf, systemClock } from '../core/runtime/clock.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import { silentLog } from '../core/runtime/log.ts';
import { createDynamoTable } from '../core/testing/dynamo-table.ts';
import { waitFor } from '../core/testing/wait-for.ts';
import { createWorld } from '../core/testing/world.ts';

const SEED = 20_261_124;
const LEASE_MS = 1_500;
const DEADLINE_MS = 700;
const networkIds = ['google_ads', 'meta', 'tiktok'] as const;
const campaignIds = ['c1', 'c2', 'c3', 'c4', 'c5'];

/** What the driver was asked to do with one object, as it saw it. */
interface Step {
  object: string;
  kind: 'send' | 'probe';
  startedAt: number;
  endedAt: number;
  outcome: string;
}

/** Writes down every call that the actors make, whichever of them makes it. */
function watch(driver: DestinationDriver): { driver: DestinationDriver; steps: Step[] } {
  const steps: Step[] = [];
  const noting =
    <T>(kind: Step['kind'], call: (each: EffectCall, signal: AbortSignal) => Promise<T>) =>
    async (each: EffectCall, signal: AbortSignal): Promise<T> => {
      const step: Step = {
        object: `${each.destination}/${each.objectKey}`,
        kind,
        startedAt: systemClock.now(),
        endedAt: Infinity,
        outcome: 'done',
      };
      steps.push(step);
      try {
        return await call(each, signal);
      } catch (error) {
        step.outcome = error instanceof LanewayError ? error.code : String(error);
        throw error;
      } finally {
        step.endedAt = systemClock.now();
      }
    };
  return {
    steps,
    driver: {
      ...driver,
      send: noting('send', (each, signal) => driver.send(each, signal)),
      probe: noting('probe', (each, signal) => driver.probe(each, signal)),
    },
  };
}

const loggedCalls = z.object({
  calls: z.array(
    z.object({
      network: z.string(),
      account: z.string(),
      kind: z.string(),
      op: z.string(),
      body: z.object({ name: z.string().optional() }),
    }),
  ),
});

test('through lost answers, refusals and two fleets that race, nothing is sent while an outcome is unknown, and the reconciler leaves no twin', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const merchantId = `shop-${world.stack}`;
  const accountId = derivedAccountId(merchantId);
  const networks = connectAdNetworks({
    baseUrl: world.networksUrl,
    credentials: sameCredentials('t'),
    clock: systemClock,
  });
  const accounts = createAdAccounts({ clock: systemClock, accountIdOf: () => Promise.resolve(accountId) });
  const plain = createAdNetworkDriver({ networks, accounts, clock: systemClock, db, lagMs: 0 });
  const { driver, steps } = watch(plain);
  const redis = connectRedis(world.redisUrl, world.stack);
  const dynamodb = connectDynamoDB();
  const claimsTable = `${world.stack}-claims`;
  await createDynamoTable(dynamodb, claimsTable);
  const limits = { quota: [{ calls: 6_000, perMs: 60_000 }], concurrency: 8 };
  // Different prefixes: the fleets see nothing of each other but fence and claim.
  const fleets = ['a', 'b'].map((name): EffectActors =>
    createEffectActors({
      db,
      redis,
      prefix: `${world.stack}-${name}`,
      dynamodb,
      claimsTable,
      drivers: () => driver,
      registry,
      worker: name,
      leaseMs: LEASE_MS,
      concurrency: 8,
      limits: Object.fromEntries(networkIds.map((network) => [`ad-network:${network}`, limits])),
      clock: systemClock,
      log: silentLog,
      retry: { retries: 20, baseMs: 20, capMs: 100 },
    }),
  );
  for (const fleet of fleets) fleet.start();

  const control = async (path: string, body: unknown) => {
    const response = await fetch(`${world.networksUrl}/_control/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    assert.is(response.status, 201);
  };
  const declare = async (objectKey: string, network: string, desired: Record<string, unknown>) => {
    const now = systemClock.now();
    const event = { eventId: crypto.randomUUID(), eventType: 'CampaignStateChangeRequestedEvent', handler: 'sync' };
    const context = { mseq: 1, day: dayOf(now), correlationId: 'cor', traceparent: 'tp', deadlineMs: DEADLINE_MS };
    await db.transaction().execute(async (trx) => {
      if (desired['kind'] === undefined) {
        const wanted = {
          desired_state: String(desired['state']),
          desired: JSON.stringify(desired),
          desired_event_id: event.eventId,
          status: 'pending' as const,
        };
        await trx
          .insertInto('campaign_network_states')
          .values({
            merchant_id: merchantId,
            campaign_id: objectKey,
            ad_network_id: network,
            desired_at: new Date(now),
            ...wanted,
          })
          .onConflict((c) => c.columns(['merchant_id', 'campaign_id', 'ad_network_id']).doUpdateSet(wanted))
          .execute();
      }
      const key = { merchantId, destination: `ad-network:${network}`, objectKey };
      await declareIntents(trx, [{ ...key, desired, ...event, ...context }], now);
    });
  };
  const rest = () =>
    waitFor(
      'every intent to end',
      async () => {
        const lanes = networkIds.map((network) => ({ merchantId, destination: `ad-network:${network}` }));
        await Promise.all(fleets.map((fleet) => fleet.wake(lanes)));
        const open = await db.selectFrom('intents').select('object_key').where('state', '!=', 'done').execute();
        return open.length === 0;
      },
      { timeoutMs: 60_000, everyMs: 100 },
    );

  const kinds = fc.constantFrom('commit_then_drop', 'commit_then_500', 'error500', 'conflict', 'token_expired', 'hang');
  const plan = fc.sample(kinds, { seed: SEED, numRuns: 12 });
  try {
    for (const [round, state] of (['paused', 'active'] as const).entries()) {
      for (const [at, network] of networkIds.entries()) {
        await control('lag', { network, account: accountId, ms: 200 });
        const faults = plan.slice(6 * round + 2 * at, 6 * round + 2 * at + 2);
        const named = faults.map((kind) => ({ network, account: accountId, kind, times: 1 }));
        await control('faults', named);
        for (const campaignId of campaignIds)
          await declare(campaignId, network, {
            state,
            name: `Sale ${round}`,
            dailyBudgetMinor: 5_000 + round,
            currency: 'EUR',
          });
      }
      await rest();
    }

    const sends = Map.groupBy(
      steps.filter(({ kind }) => kind === 'send'),
      ({ object }) => object,
    );
    let unknowns = 0;
    for (const [object, ofObject] of sends)
      for (const [index, send] of ofObject.entries()) {
        const next = ofObject[index + 1];
        assert.ok(next === undefined || next.startedAt >= send.endedAt, `${object} was sent twice at once`);
        if (send.outcome !== 'effect.outcome_unknown' && send.outcome !== 'handler.deadline') continue;
        unknowns += 1;
        const probe = steps.find(
          (each) => each.object === object && each.kind === 'probe' && each.startedAt > send.startedAt,
        );
        assert.ok(probe !== undefined, `seed ${SEED}: ${object} was never looked up after an unknown outcome`);
        // The call is over by then whatever became of it, and listings have caught up.
        assert.ok(probe.startedAt - send.startedAt > LEASE_MS, `seed ${SEED}: ${object} was looked up too early`);
        assert.ok(next === undefined || next.startedAt >= probe.startedAt, `seed ${SEED}: ${object} was resent unseen`);
      }
    const sure = plan.filter((kind) => kind === 'commit_then_drop' || kind === 'commit_then_500' || kind === 'hang');
    assert.ok(unknowns >= sure.length, `seed ${SEED}: ${unknowns} unknown outcomes, fewer than ${sure.length}`);

    const log = loggedCalls.parse(await (await fetch(`${world.networksUrl}/_log`)).json());
    const created = log.calls
      .filter(({ account, kind, op }) => account === accountId && kind === 'campaign' && op === 'create')
      .map(({ network, body }) => `${network} ${tagIn(body.name ?? '') ?? ''}`);
    assert.is(created.length, 15);
    assert.is(new Set(created).size, 15, `seed ${SEED}: a campaign was made twice`);

    // What a process makes that wakes up after its successor: no fence of ours can reach it.
    const account = { accountId, currency: 'EUR', timeZone: 'UTC' };
    const signal = AbortSignal.timeout(60_000);
    for (const network of networks) {
      const name = taggedName('Late twin', campaignTag(merchantId, 'c1'));
      await network.createCampaign(account, { state: 'active', name, dailyBudgetMinor: 5_000 }, 'abcdef0123', signal);
      await control('lag', { network: network.id, account: accountId, ms: 0 });
      await declare('reconcile', network.id, { kind: 'reconcile' });
    }
    await rest();
    for (const network of networks) {
      const live = await network.listCampaigns(account, signal);
      assert.equal(
        live.map(({ name, state, dailyBudgetMinor }) => `${name} ${state} ${dailyBudgetMinor}`).toSorted(),
        campaignIds
          .map((campaignId) => `${taggedName('Sale 1', campaignTag(merchantId, campaignId))} active 5001`)
          .toSorted(),
        network.id,
      );
    }
    const found = await db.selectFrom('reconciliations').select('twins').execute();
    assert.equal(
      found.map(({ twins }) => twins),
      [1, 1, 1],
    );
  } finally {
    await Promise.all(fleets.map((fleet) => fleet.stop()));
    redis.disconnect();
    dynamodb.destroy();
  }
});

test.run();
