import { randomInt, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { createRandom } from '../load/random.ts';
import { generateLoad } from '../load/generate.ts';
import type { LoadEvent } from '../load/load-event.ts';
import { sendLoad } from '../load/send.ts';
import type { RunningStack } from './stack.ts';

/**
 * Something to look at: about two events a second for the demo merchants, through SQS and SNS, and now and then a campaign
 * through the gateway. Each merchant gets a few campaigns and no more, and nothing is queued up while the system is slow.
 */
export interface Demo {
  stop(): Promise<void>;
}

const everyMs = 500;
const campaignEvery = 40;
const campaignsPerMerchant = 5;

export function startDemo(stack: RunningStack, log: (line: string) => void): Demo {
  const stopping = new AbortController();
  const done = run(stack, stopping.signal, onChange(log));
  return {
    async stop() {
      stopping.abort();
      await done;
    },
  };
}

async function run(stack: RunningStack, signal: AbortSignal, say: (state: string) => void): Promise<void> {
  const loads = stack.describe().merchants.map(({ id }) => endlessLoad(id));
  for (let n = 1; !signal.aborted; n++) {
    try {
      const next = loads[randomInt(loads.length)]?.next();
      if (next?.done === false)
        await sendLoad([next.value], { ...stack.clients, ...stack.addresses, concurrency: 1, maxFailuresInARow: 3 });
      if (n % campaignEvery === 0) await useCampaigns(stack);
      say('running');
    } catch (error) {
      say(`cannot send: ${error instanceof Error ? error.message : String(error)}`);
    }
    await delay(everyMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Campaigns come from the gateway, and what speaks of plans, affiliates or feeds needs them to be there. */
const shown = new Set([
  'AdPerformanceDataIngestedEvent',
  'ProductCoreDataUpdatedEvent',
  'OrderDataAttributedToAdEvent',
]);

/** A load of its own for each demo merchant, without end. */
function* endlessLoad(merchantId: string): Generator<LoadEvent> {
  const seed = randomInt(2 ** 31);
  for (const load of generateLoad({ seed, events: Infinity, merchants: 1, startMs: Date.now(), timeOf: Date.now })) {
    if (!shown.has(load.event.eventType) || load.resendOf !== undefined || load.isPoison === true) continue;
    const event = { ...load.event, eventId: randomUUID(), correlationId: randomUUID(), merchantId };
    yield { ...load, merchantId, event, body: JSON.stringify(event), deduplicationId: event.eventId };
  }
}

const campaignsAnswer = z.looseObject({
  campaigns: z.array(z.looseObject({ campaignId: z.string(), state: z.string() })),
});

async function useCampaigns({ describe }: RunningStack): Promise<void> {
  const { gatewayUrl, merchants } = describe();
  const merchant = merchants[randomInt(merchants.length)];
  if (merchant === undefined) return;
  const call = async (method: string, path: string, body?: object): Promise<unknown> => {
    const response = await fetch(`${gatewayUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${merchant.apiKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    });
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}`);
    return await response.json();
  };
  const { campaigns } = campaignsAnswer.parse(await call('GET', '/v1/campaigns'));
  const random = createRandom(randomInt(2 ** 31));
  const changeable = campaigns.filter(({ state }) => state === 'active' || state === 'paused');
  const [first] = changeable;
  if (campaigns.length < campaignsPerMerchant) {
    const season = random.pick(['Spring', 'Summer', 'Autumn', 'Winter']);
    await call('POST', '/v1/campaigns', {
      name: `${season} ${campaigns.length + 1}`,
      adNetworkIds: [random.pick(['meta', 'google_ads', 'tiktok'])],
      dailyBudgetMinor: 1_000 + random.below(50) * 100,
      currency: 'EUR',
    });
  } else if (first !== undefined) {
    const campaign = changeable[random.below(changeable.length)] ?? first;
    await call('POST', `/v1/campaigns/${encodeURIComponent(campaign.campaignId)}/state`, {
      state: campaign.state === 'active' ? 'paused' : 'active',
    });
  }
}

/** A demo that fails for an hour says so once. */
function onChange(log: (line: string) => void): (state: string) => void {
  let last = 'running';
  return (state) => {
    if (state !== last) log(`demo load: ${state}`);
    last = state;
  };
}
