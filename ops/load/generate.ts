import type { EventDefinition } from '../../core/events/definition.ts';
import { envelopeSchema } from '../../core/events/envelope.ts';
import { type Registry, currentVersion, registry as laneway } from '../../core/events/registry.ts';
import type { LoadEvent } from './load-event.ts';
import { merchantName } from './merchant-names.ts';
import { drawType } from './mix.ts';
import { type Random, createRandom } from './random.ts';
import { type Shop, nextPayload, openShop } from './shop.ts';
import { canSpoil, spoil } from './spoil.ts';
import { createZipf } from './zipf.ts';

export interface LoadOptions {
  readonly seed: number;
  /** Distinct events; repeats come on top. */
  readonly events: number;
  readonly merchants: number;
  /** When the load pretends to begin; every later timestamp derives from it. */
  readonly startMs: number;
  /** When the n-th event happens, for a load that takes its time. Must not fall. Default: a millisecond after the last. */
  readonly timeOf?: (n: number) => number;
  /** A month such as `2026-10`: billing cycles of it close the load, one for a merchant. */
  readonly closes?: string;
  readonly registry?: Registry;
}

/** The share of sends that are followed by a repeat of themselves. */
const repeated = 0.02;
/** The share that is sent after what happened later. */
const late = 0.01;
const lateBy = 200;
const poisoned = 0.005;
/** How much a merchant sends falls with its rank to the power of this. */
const skew = 1.1;
/** At most this share of a load are billing cycles. */
const closing = 0.02;
const lateTypes: ReadonlySet<string> = new Set([
  'AdPerformanceDataIngestedEvent',
  'ProductCoreDataUpdatedEvent',
  'OrderDataAttributedToAdEvent',
]);

/**
 * A month of shops' lives: all events of the system in the shares of `mix.ts`, some sent twice, some late, some that nobody
 * can read, and at the end billing cycles; the same for the same options. But for what is late, what one merchant sends to
 * one queue is in the order in which it happened.
 */
export function* generateLoad(options: LoadOptions): Generator<LoadEvent, void, undefined> {
  const { seed, events, merchants, startMs, timeOf = (n) => startMs + n, registry = laneway } = options;
  const random = createRandom(seed);
  const rankOf = createZipf(merchants, skew);
  const shops = new Map<string, Shop>();
  const cycles = options.closes === undefined ? 0 : Math.min(merchants, Math.floor(events * closing));
  const drawn = events - cycles;
  let waiting: { at: number; load: LoadEvent }[] = [];

  for (let n = 0; n < drawn; n++) {
    const shop = shopAt(shops, visited(n, drawn, merchants) ?? rankOf(random), random);
    const eventType = drawType(random, n);
    const payload = nextPayload(shop, eventType, random, { n, atMs: timeOf(n), startMs });
    const good = makeEvent(shop.merchantId, eventType, payload, { n, seed, atMs: timeOf(n), registry });
    const load = random.chance(poisoned) && canSpoil(good) ? spoil(good, random) : good;
    const delayed = random.chance(late) && lateTypes.has(eventType) ? 1 + random.below(lateBy) : 0;
    if (delayed > 0) waiting.push({ at: n + delayed, load });
    else yield load;
    if (random.chance(repeated)) waiting.push({ at: n + delayed + random.below(30), load: repeatOf(load) });
    for (const { load: due } of waiting.filter(({ at }) => at <= n)) yield due;
    waiting = waiting.filter(({ at }) => at > n);
  }
  for (const { load } of waiting.toSorted((a, b) => a.at - b.at)) yield load;
  for (let rank = 0; rank < cycles; rank++) {
    const { merchantId } = shopAt(shops, rank, random);
    const payload = {
      merchantId,
      billingPeriod: options.closes,
      timestamp: new Date(timeOf(drawn + rank)).toISOString(),
    };
    const place = { n: drawn + rank, seed, atMs: timeOf(drawn + rank), registry };
    const load: LoadEvent = { ...makeEvent(merchantId, 'BillingCycleEvent', payload, place), isClosing: true };
    yield load;
    if (random.chance(repeated)) yield repeatOf(load);
  }
}

/** Every fourth event goes round the merchants, as long as that leaves nobody out and the rest to chance. */
const visited = (n: number, events: number, merchants: number): number | undefined =>
  n % 4 === 0 && n / 4 < merchants && events >= 4 * merchants ? n / 4 : undefined;

function shopAt(shops: Map<string, Shop>, rank: number, random: Random): Shop {
  const merchantId = merchantName(rank);
  const shop = shops.get(merchantId) ?? openShop(merchantId, random);
  shops.set(merchantId, shop);
  return shop;
}

const repeatOf = (load: LoadEvent): LoadEvent => ({
  ...load,
  deduplicationId: `${load.deduplicationId}.again`,
  resendOf: load.event.eventId,
});

/** The newest version that a payload satisfies: some producers still write as an older one has it, and say so. */
const versionOf = (definition: EventDefinition, payload: unknown): string =>
  (definition.versions.findLast(({ schema }) => schema.safeParse(payload).success) ?? currentVersion(definition))
    .version;

function makeEvent(
  merchant: string,
  eventType: string,
  payload: Record<string, unknown>,
  { n, seed, atMs, registry }: { n: number; seed: number; atMs: number; registry: Registry },
): LoadEvent {
  const definition = registry.get(eventType);
  if (definition === undefined) throw new Error(`${eventType} is not in the registry`);
  const event = envelopeSchema.parse({
    eventId: `load-${seed}-${String(n + 1).padStart(7, '0')}`,
    eventType,
    eventVersion: versionOf(definition, payload),
    timestamp: new Date(atMs).toISOString(),
    sourceService: definition.sourceContext,
    correlationId: `load-${seed}-${n + 1}`,
    // What belongs to no merchant travels in a lane of its own.
    ...(definition.laneWithoutMerchant === undefined ? { merchantId: merchant } : {}),
    payload,
  });
  return {
    merchantId: definition.laneWithoutMerchant ?? merchant,
    event,
    body: JSON.stringify(event),
    ...(definition.topic === undefined
      ? { channel: 'queue', name: definition.queue }
      : { channel: 'topic', name: definition.topic }),
    deduplicationId: event.eventId,
  };
}
