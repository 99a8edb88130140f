import type { Kysely } from 'kysely';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { createApiKey, createMerchant } from '../../core/contexts/access/writes.ts';
import type { AdNetworkId } from '../../core/contexts/campaigns/events.ts';
import type { Database } from '../../core/database/tables.ts';
import type { AdPlan, AdStep } from './ad-plans.ts';

/** An ad set or ad as its merchant asked for it last, by what the gateway said yes to. */
export interface AskedAdObject {
  readonly merchantId: string;
  readonly campaignId: string;
  readonly objectId: string;
  readonly kind: 'ad_set' | 'ad';
  /** Of an ad. */
  readonly adSetId: string | undefined;
  readonly name: string;
  readonly state: 'active' | 'paused' | 'ended';
  readonly settings: Partial<Record<AdNetworkId, Record<string, unknown>>>;
}

export interface AdvertiseOptions {
  readonly gatewayUrl: string;
  /** By merchant. */
  readonly keys: ReadonlyMap<string, string>;
  readonly signal: AbortSignal;
  /** Between two tries; longer than a request whose answer was lost goes on inside the gateway, as a rule. */
  readonly pauseMs?: number;
}

const requestMs = 15_000;
/** A gateway that stays away for longer fails the run. */
const patienceMs = 120_000;
/** For so long a shop waits to see its ads on the networks before it goes on all the same. */
const lookMs = 10_000;

const created = z.looseObject({ campaign: z.looseObject({ campaignId: z.string() }) });
const made = z.looseObject({ adSetId: z.string().optional(), adId: z.string().optional() });
const shown = { name: z.string(), networks: z.array(z.looseObject({ status: z.string() })) };
const listed = z.looseObject({
  adSets: z.array(
    z.looseObject({ ...shown, adSetId: z.string(), ads: z.array(z.looseObject({ ...shown, adId: z.string() })) }),
  ),
});

const problem = z.looseObject({ code: z.string() });

/** Accounts and keys for the merchants of the plans. */
export async function openAdvertisers(
  db: Kysely<Database>,
  plans: readonly AdPlan[],
  nowMs: number,
): Promise<Map<string, string>> {
  const keys = new Map<string, string>();
  for (const { merchantId } of plans) {
    await createMerchant(db, { merchantId, name: merchantId }, nowMs);
    keys.set(merchantId, await createApiKey(db, { merchantId, label: 'load' }, nowMs));
  }
  return keys;
}

/** Does through the gateway what the plans say, all shops side by side; what has no answer is looked up or asked again. */
export async function advertise(plans: readonly AdPlan[], options: AdvertiseOptions): Promise<AskedAdObject[]> {
  const asked = await Promise.all(plans.map((plan) => carryOut(plan, options)));
  return asked.flat();
}

async function carryOut(plan: AdPlan, options: AdvertiseOptions): Promise<AskedAdObject[]> {
  const { merchantId, networks, dailyBudgetMinor, steps } = plan;
  const call = caller(options, merchantId);
  const body = { name: 'Ads of the month', adNetworkIds: networks, dailyBudgetMinor, currency: 'EUR' };
  const { campaign } = created.parse(await call.untilDone('POST', '/v1/campaigns', body, crypto.randomUUID()));
  const { campaignId } = campaign;
  const path = `/v1/campaigns/${encodeURIComponent(campaignId)}`;
  const objects = new Map<string, AskedAdObject>();
  const held = (key: string): AskedAdObject => {
    const found = objects.get(key);
    if (found === undefined) throw new Error(`the plan makes no ${key}`);
    return found;
  };

  const make = async ({ kind, key, adSet, name, state, settings }: Extract<AdStep, { do: 'make' }>) => {
    const adSetId = adSet === undefined ? undefined : held(adSet).objectId;
    const at = adSetId === undefined ? `${path}/ad-sets` : `${path}/ad-sets/${adSetId}/ads`;
    const known = async (): Promise<unknown> => {
      const { adSets } = listed.parse(await call.untilDone('GET', `${path}/ad-sets`));
      return withAds(adSets).find((each) => each.name === name);
    };
    const answer = made.parse(await call.once('POST', at, { name, state, settings }, known));
    const objectId = (kind === 'ad' ? answer.adId : answer.adSetId) ?? '';
    objects.set(key, { merchantId, campaignId, objectId, kind, adSetId, name, state, settings });
  };

  for (const step of steps) {
    if (step.do === 'make') {
      await make(step);
      continue;
    }
    if (step.do === 'look') {
      await look(() => call.untilDone('GET', `${path}/ad-sets`), options.signal);
      continue;
    }
    const { key } = step;
    const object = held(key);
    const at = `${path}/${object.kind === 'ad' ? 'ads' : 'ad-sets'}/${object.objectId}`;
    // What has ended takes no change.
    if (object.state === 'ended') continue;
    if (step.do === 'state') {
      await call.untilDone('POST', `${at}/state`, { state: step.state });
      objects.set(key, { ...object, state: step.state });
      for (const [other, each] of objects)
        if (step.state === 'ended' && each.adSetId === object.objectId) objects.set(other, { ...each, state: 'ended' });
      continue;
    }
    const { name = object.name, settings = {} } = step;
    await call.untilDone('PATCH', at, { name, ...(step.settings === undefined ? {} : { settings }) });
    const merged = { ...object.settings };
    for (const network of networks)
      if (settings[network]) merged[network] = { ...merged[network], ...settings[network] };
    objects.set(key, { ...object, name, settings: merged });
  }
  return [...objects.values()];
}

const withAds = (adSets: z.infer<typeof listed>['adSets']) => [...adSets, ...adSets.flatMap(({ ads }) => ads)];

async function look(read: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  const until = performance.now() + lookMs;
  while (performance.now() < until) {
    const { adSets } = listed.parse(await read());
    const all = withAds(adSets);
    const followed = ({ networks }: (typeof all)[number]) =>
      networks.length > 0 && networks.every(({ status }) => status !== 'pending');
    if (all.every(followed)) return;
    await delay(500, undefined, { signal });
  }
}

interface Caller {
  /** For what may be asked as often as one likes. */
  untilDone(method: string, path: string, body?: object, idempotencyKey?: string): Promise<unknown>;
  /** For what may not: when it is not known whether it was done, `known` looks for it. */
  once(method: string, path: string, body: object, known: () => Promise<unknown>): Promise<unknown>;
}

function caller({ gatewayUrl, keys, signal, pauseMs = 2_000 }: AdvertiseOptions, merchantId: string): Caller {
  /** Undefined when nobody knows what became of it. Throws for a refusal. */
  const send = async (method: string, path: string, body?: object, idempotencyKey?: string): Promise<unknown> => {
    let response: Response;
    let answer: unknown;
    try {
      response = await fetch(`${gatewayUrl}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${keys.get(merchantId) ?? ''}`,
          'content-type': 'application/json',
          connection: 'close',
          ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.any([signal, AbortSignal.timeout(requestMs)]),
      });
      answer = await response.json();
    } catch {
      signal.throwIfAborted();
      return undefined;
    }
    if (response.ok) return answer;
    if (response.status >= 500 || problem.safeParse(answer).data?.code === 'request.conflict') return undefined;
    throw new Error(`${method} ${path} answered ${response.status}: ${JSON.stringify(answer)}`);
  };
  const persist = async (attempt: () => Promise<unknown>, what: string): Promise<unknown> => {
    const until = performance.now() + patienceMs;
    for (;;) {
      const answer = await attempt();
      if (answer !== undefined) return answer;
      if (performance.now() > until) throw new Error(`the gateway does not answer: ${what}`);
      await delay(pauseMs, undefined, { signal });
    }
  };
  return {
    untilDone: (method, path, body, key) =>
      persist(() => send(method, path, body, key), `${method} ${path} for ${merchantId}`),
    async once(method, path, body, known) {
      let unclear = false;
      return await persist(async () => {
        const found = unclear ? await known() : undefined;
        if (found !== undefined) return found;
        unclear = true;
        return await send(method, path, body);
      }, `${method} ${path} for ${merchantId}`);
    },
  };
}
