import type { z } from 'zod';
import type { HandlerModule } from './handler.ts';

/**
 * What a failing or waiting event of a handler holds back:
 * `merchant`  the whole lane stays at this event
 * `aggregate` the event is set aside and later ones of its aggregate queue behind it
 * `event`     the event alone is set aside; only for commutative handlers
 */
export type Holds = 'merchant' | 'aggregate' | 'event';

/** `release`: a poison event goes to the DLQ and what it held goes on. `keep`: it stays, held, until an operator acts. */
export type OnPoison = 'release' | 'keep';

export interface HandlerDefinition {
  /** The specification's name. Unique over all events: settlements are keyed by it. */
  name: string;
  service: string;
  holds: Holds;
  onPoison: OnPoison;
  /** `state`: a newer event makes an older one superfluous. `delta`: each must be applied once. */
  effect: 'state' | 'delta';
  /** Loaded only where handlers run, so that the infrastructure program and the gateway can import the registry. */
  load: () => Promise<HandlerModule>;
}

export interface EventVersion {
  version: string;
  schema: z.ZodType;
  /** Brings a payload of this version to the next one in the list. The last one has none. */
  upcast?: (payload: unknown) => unknown;
}

export interface EventDefinition {
  /** `evt_…`, the id the specification gives the event type. */
  id: string;
  name: string;
  type: 'integration' | 'command' | 'domain' | 'system';
  category: string;
  description: string;
  frequency: 'low' | 'medium' | 'high';
  priority: 'low' | 'medium' | 'high';
  criticality: 'critical' | 'important' | 'normal';
  routingKey: string;
  sourceContext: string;
  targetContexts: readonly string[];
  /** Oldest first; the last is the current version, the one we write. */
  versions: readonly [EventVersion, ...EventVersion[]];
  /** The key of what the event is about, of a payload of the current version. Needed where a handler holds `aggregate`. */
  aggregate?: (payload: unknown) => string;
  /**
   * The person that a payload, of any version, is about: what the merchant calls them. Bodies of such events are encrypted at
   * rest under a key of the person, never sent to a DLQ, and unreadable once the person is erased.
   */
  person?: (payload: unknown) => string | undefined;
  /** `fifo` keeps producer order per merchant; `standard` does not and admits only handlers that hold their event. */
  route: 'fifo' | 'standard';
  queue: string;
  deadLetterQueue: string;
  /** Where the event is published; without one, producers send straight to the queue. */
  topic?: string;
  /** SNS filter policy of the queue's subscription, on message attributes. */
  filter?: Readonly<Record<string, readonly string[]>>;
  /** The lane of events that carry no merchant. */
  laneWithoutMerchant?: string;
  /** Spans handler and effect. */
  timeoutMs: number;
  retry: { retries: number; baseMs: number; capMs: number };
  thresholds: { latencyMs: number; queueAgeSeconds: number; queueDepth: number; errorRatePercent: number };
  handlers: readonly [HandlerDefinition, ...HandlerDefinition[]];
  /** A payload of the current version, for documents and tests. */
  example: Readonly<Record<string, unknown>>;
}

/** The specification's alarm thresholds; latency follows priority. */
export const thresholds = (priority: EventDefinition['priority']): EventDefinition['thresholds'] => ({
  latencyMs: { high: 5_000, medium: 30_000, low: 300_000 }[priority],
  queueAgeSeconds: 3_600,
  queueDepth: 1_000,
  errorRatePercent: 1,
});
