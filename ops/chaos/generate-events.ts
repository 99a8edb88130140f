import type { EventDefinition } from '../../core/events/definition.ts';
import { envelopeSchema } from '../../core/events/envelope.ts';
import { currentVersion } from '../../core/events/registry.ts';
import type { LoadEvent } from '../load/load-event.ts';
import { merchantName } from '../load/merchant-names.ts';
import { performanceEvent } from '../load/performance-events.ts';
import { type Random, createRandom } from '../load/random.ts';
import { chaosEvents, chaosRegistry } from './registry.ts';
import type { Trouble, Troubles } from './trouble.ts';

export interface ChaosLoadOptions {
  readonly seed: number;
  readonly events: number;
  readonly merchants: number;
  readonly startMs: number;
  /** The share of events for which a handler has trouble in store. */
  readonly troubled: number;
}

/** The share of sends that are repeated at once, under another deduplication id. */
const repeated = 0.03;
/** A real product or performance event for every so many of ours. */
const realShare = 0.2;
const subjects = 5;
/** A death costs a start of a process: at most so many are planned. */
const maxDeaths = 2;
/** The share of troubles that are poison. */
const poisonShare = 0.25;

/**
 * A load whose payloads say which handler has what trouble with which event, the same for the same options. Order, as a
 * producer means it, is the order of this sequence for each merchant and queue.
 */
export function* generateChaosLoad(options: ChaosLoadOptions): Generator<LoadEvent, void, undefined> {
  const random = createRandom(options.seed);
  let deaths = 0;
  for (let n = 0; n < options.events; n++) {
    const merchantId = merchantName(Math.floor(options.merchants * random.next() ** 1.3));
    const atMs = options.startMs + n;
    const [definition, payload] = pickEvent(random, n, atMs);
    const troubles = random.chance(options.troubled) ? drawTroubles(random, definition, deaths < maxDeaths) : {};
    if (Object.values(troubles).some(({ kind }) => kind === 'die')) deaths += 1;
    const eventId = `chaos-${options.seed}-${String(n + 1).padStart(7, '0')}`;
    const load = toLoad({ eventId, merchantId, atMs, definition, payload, troubles });
    yield load;
    if (random.chance(repeated)) yield repeatOf(load, 'again');
  }
}

/** The same bytes under another deduplication id: what SQS would let through as another message. */
export const repeatOf = (load: LoadEvent, label: string): LoadEvent => ({
  ...load,
  deduplicationId: `${load.event.eventId}.${label}`,
  resendOf: load.event.eventId,
});

function pickEvent(random: Random, n: number, atMs: number): [EventDefinition, Record<string, unknown>] {
  const timestamp = new Date(atMs).toISOString();
  if (random.chance(realShare)) {
    if (random.chance(0.5)) return [definitionOf('AdPerformanceDataIngestedEvent'), performanceEvent(random, n, atMs)];
    const payload = {
      productId: `sku-${random.below(subjects)}`,
      operationType: 'update',
      timestamp,
      changedAttributes: { priceMinor: random.below(50_000), currency: 'EUR' },
    };
    return [definitionOf('ProductCoreDataUpdatedEvent'), payload];
  }
  const definition = chaosEvents[random.below(chaosEvents.length)];
  if (definition === undefined) throw new Error('there are no chaos events');
  return [definition, { subject: `s${random.below(subjects)}`, timestamp }];
}

function drawTroubles(random: Random, definition: EventDefinition, mayDie: boolean): Troubles {
  const handler = definition.handlers[random.below(definition.handlers.length)] ?? definition.handlers[0];
  return { [handler.name]: drawTrouble(random, handler.holds === 'merchant' && handler.onPoison === 'keep', mayDie) };
}

/** @param blocks poison would block the merchant until an operator acts: rarer, or there would soon be nobody left */
function drawTrouble(random: Random, blocks: boolean, mayDie: boolean): Trouble {
  if (random.chance(blocks ? poisonShare / 4 : poisonShare))
    return { kind: 'poison', retry: random.pick(['never', 'backoff']) };
  const kind = random.next();
  if (kind < 0.5) return { kind: 'fail', times: 1 + random.below(3) };
  if (kind < 0.7) return { kind: 'snooze', ms: 50 + random.below(500), times: 1 + random.below(2) };
  if (kind < 0.97 || !mayDie) return { kind: 'slow', ms: 20 + random.below(200) };
  return { kind: 'die' };
}

export interface PlannedEvent {
  readonly eventId: string;
  readonly merchantId: string;
  readonly atMs: number;
  readonly definition: EventDefinition;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly troubles: Troubles;
}

export function toLoad({ eventId, merchantId, atMs, definition, payload, troubles }: PlannedEvent): LoadEvent {
  const event = envelopeSchema.parse({
    eventId,
    eventType: definition.name,
    eventVersion: currentVersion(definition).version,
    timestamp: new Date(atMs).toISOString(),
    sourceService: definition.sourceContext,
    correlationId: eventId,
    merchantId,
    payload: { ...payload, ...(Object.keys(troubles).length === 0 ? {} : { chaos: troubles }) },
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

function definitionOf(eventType: string): EventDefinition {
  const definition = chaosRegistry.get(eventType);
  if (definition === undefined) throw new Error(`${eventType} is not in the registry`);
  return definition;
}
