import type { EventDefinition } from '../../core/events/definition.ts';
import { envelopeSchema } from '../../core/events/envelope.ts';
import { type Registry, currentVersion, registry as laneway } from '../../core/events/registry.ts';
import { type CampaignEvents, campaignEvents } from './campaign-events.ts';
import type { LoadEvent } from './load-event.ts';
import { merchantName } from './merchant-names.ts';
import { performanceEvent } from './performance-events.ts';
import { type ProductEvents, productEvents } from './product-events.ts';
import { type Random, createRandom } from './random.ts';

export interface LoadOptions {
  readonly seed: number;
  /** Distinct events; repeats come on top. */
  readonly events: number;
  readonly merchants: number;
  /** When the load pretends to begin; every later timestamp derives from it. */
  readonly startMs: number;
  /** When the n-th event happens, for a load that takes its time. Must not fall. Default: a millisecond after the last. */
  readonly timeOf?: (n: number) => number;
  readonly registry?: Registry;
}

/** The share of sends that are followed by a repeat of themselves. */
const repeated = 0.02;

interface Merchant {
  readonly merchantId: string;
  readonly products: ProductEvents;
  readonly campaigns: CampaignEvents;
}

/**
 * A load of 60 % performance figures, 30 % product changes and 10 % campaign commands, the same for the same options. What
 * one merchant sends to one queue is in the order in which it must take effect. Some merchants send several times as much
 * as others.
 */
export function* generateLoad(options: LoadOptions): Generator<LoadEvent, void, undefined> {
  const { seed, events, merchants, startMs, timeOf = (n) => startMs + n, registry = laneway } = options;
  const random = createRandom(seed);
  const known = new Map<string, Merchant>();
  const pendingRepeats: { at: number; load: LoadEvent }[] = [];

  for (let n = 0; n < events; n++) {
    const merchantId = merchantName(Math.floor(merchants * random.next() ** 1.4));
    const merchant = known.get(merchantId) ?? newMerchant(merchantId, random);
    known.set(merchantId, merchant);
    const load = oneEvent(merchant, random, { n, seed, atMs: timeOf(n), registry });
    yield load;
    if (random.chance(repeated)) pendingRepeats.push({ at: n + random.below(30), load });
    while (pendingRepeats[0] !== undefined && pendingRepeats[0].at <= n) {
      const due = pendingRepeats.shift();
      if (due !== undefined) yield repeatOf(due.load);
    }
  }
  for (const { load } of pendingRepeats) yield repeatOf(load);
}

const newMerchant = (merchantId: string, random: Random): Merchant => ({
  merchantId,
  products: productEvents(random),
  campaigns: campaignEvents(merchantId, random),
});

const repeatOf = (load: LoadEvent): LoadEvent => ({
  ...load,
  deduplicationId: `${load.event.eventId}.again`,
  resendOf: load.event.eventId,
});

/** The newest version that a payload satisfies: some producers still write as an older one has it, and say so. */
const versionOf = (definition: EventDefinition, payload: unknown): string =>
  (definition.versions.findLast(({ schema }) => schema.safeParse(payload).success) ?? currentVersion(definition))
    .version;

function oneEvent(
  { merchantId, products, campaigns }: Merchant,
  random: Random,
  { n, seed, atMs, registry }: { n: number; seed: number; atMs: number; registry: Registry },
): LoadEvent {
  const timestamp = new Date(atMs).toISOString();
  const kind = random.next();
  const [eventType, payload] =
    kind < 0.6
      ? (['AdPerformanceDataIngestedEvent', performanceEvent(random, n, atMs)] as const)
      : kind < 0.9
        ? (['ProductCoreDataUpdatedEvent', products.next(timestamp)] as const)
        : (['CampaignStateChangeRequestedEvent', campaigns.next(timestamp)] as const);
  const definition = registry.get(eventType);
  if (definition === undefined) throw new Error(`${eventType} is not in the registry`);
  const event = envelopeSchema.parse({
    eventId: `load-${seed}-${String(n + 1).padStart(7, '0')}`,
    eventType,
    eventVersion: versionOf(definition, payload),
    timestamp,
    sourceService: definition.sourceContext,
    correlationId: `load-${seed}-${n + 1}`,
    merchantId,
    payload,
  });
  return {
    merchantId,
    event,
    body: JSON.stringify(event),
    ...(definition.topic === undefined
      ? { channel: 'queue', name: definition.queue }
      : { channel: 'topic', name: definition.topic }),
    deduplicationId: event.eventId,
  };
}
