import type { Transaction } from 'kysely';
import type { Database } from '../database/tables.ts';
import type { Keyring } from '../people/keyring.ts';
import type { LanewayEvent } from './envelope.ts';

/**
 * How a handler says that it ended. Anything it throws instead is a failure: typed errors say whether trying again can
 * help, everything else is retried.
 */
export type Outcome =
  | { kind: 'done' }
  /** Nothing to do, and why: settled, not an error. */
  | { kind: 'skip'; reason: string }
  /** Not yet: comes back after the delay, holding what the handler declares. Not an attempt. */
  | { kind: 'snooze'; delayMs: number; reason: string };

export const done: Outcome = { kind: 'done' };
export const skip = (reason: string): Outcome => ({ kind: 'skip', reason });
export const snooze = (delayMs: number, reason: string): Outcome => ({ kind: 'snooze', delayMs, reason });

/** An event to publish from this transaction. Its id derives from the cause, so that a second run emits it once. */
export interface Emission {
  eventType: string;
  payload: Record<string, unknown>;
  /** Which occurrence the payload reports; defaults to the cause's. */
  timestamp?: string;
}

/**
 * A desired state of one object at one destination. A later intent for the same object replaces an earlier one that was
 * not carried out yet.
 */
export interface Intent {
  /** `ad-network:meta` */
  destination: string;
  /** The campaign id, the endpoint id: what the destination holds one of. */
  objectKey: string;
  desired: Record<string, unknown>;
  /** Epoch milliseconds before which it is not to be made true; at once when it is left out. */
  notBeforeMs?: number;
}

export interface HandlerContext {
  trx: Transaction<Database>;
  /** Fires when the event's deadline passes or the worker must stop. */
  signal: AbortSignal;
  /** Wall time in epoch milliseconds, one value for the whole window. */
  now: number;
  /** For what is stored about a person. Absent in processes that have no master keys. */
  keyring?: Keyring | undefined;
  emit(cause: LanewayEvent, emission: Emission): void;
  intend(cause: LanewayEvent, intent: Intent): void;
}

/**
 * A handler offers `handle`, or `handleMany` where it is hot: called with a maximal run of one event type of one merchant,
 * in order, and answering with one outcome for each. Both run inside the lane's transaction and touch nothing outside it.
 */
export type HandlerModule<Payload = unknown> =
  | { handle(event: LanewayEvent<Payload>, context: HandlerContext): Promise<Outcome> }
  | { handleMany(events: readonly LanewayEvent<Payload>[], context: HandlerContext): Promise<readonly Outcome[]> };

/**
 * Types a handler against its payload. The engine hands over payloads that the event's current schema has parsed, so the
 * handler may rely on its shape.
 */
export const defineHandler = <Payload>(module: HandlerModule<Payload>): HandlerModule => module;
