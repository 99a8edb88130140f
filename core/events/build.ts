import type { z } from 'zod';
import { LanewayError } from '../runtime/errors.ts';
import { type authenticationContext, envelopeSchema } from './envelope.ts';
import { type Registry, currentVersion } from './registry.ts';
import { findUnstorable, formatPath, mayBeUnstorable } from './unstorable.ts';

export interface NewEvent {
  eventId: string;
  eventType: string;
  /** Absent for an event that belongs to no merchant; its registry entry then names a lane. */
  merchantId?: string;
  correlationId: string;
  traceparent: string;
  /** The context that emits; defaults to the event's registered source. */
  sourceService?: string;
  /** ISO 8601: when it is emitted. */
  timestamp: string;
  authentication?: z.infer<typeof authenticationContext>;
  payload: Record<string, unknown>;
}

/** What the outbox keeps and the relay publishes. */
export interface BuiltEvent {
  eventId: string;
  eventType: string;
  /** The merchant, or the lane of an event without one. */
  merchantId: string;
  /** `queue:Name` or `topic:Name`. */
  destination: string;
  attributes: Record<string, string>;
  body: Buffer;
}

/**
 * Serialises an event of ours in its current version. Throws `payload.invalid` for a payload that its own schema refuses, or
 * that no store would keep: what we would not accept we do not emit.
 */
export function buildEvent(registry: Registry, event: NewEvent): BuiltEvent {
  const definition = registry.get(event.eventType);
  if (definition === undefined)
    throw new LanewayError('envelope.unknown_type', `${event.eventType} is not in the registry`);
  const lane = event.merchantId ?? definition.laneWithoutMerchant;
  if (lane === undefined)
    throw new LanewayError('envelope.invalid', `${event.eventType} cannot be emitted without a merchant`);
  const { version, schema } = currentVersion(definition);
  const payload = schema.safeParse(event.payload);
  const envelope = envelopeSchema.safeParse({
    eventId: event.eventId,
    eventType: event.eventType,
    eventVersion: version,
    timestamp: event.timestamp,
    sourceService: event.sourceService ?? definition.sourceContext,
    correlationId: event.correlationId,
    ...(event.merchantId === undefined ? {} : { merchantId: event.merchantId }),
    traceId: event.traceparent,
    ...(event.authentication === undefined ? {} : { authentication: event.authentication }),
    payload: event.payload,
  });
  const fault = payload.error?.issues[0] ?? envelope.error?.issues[0];
  if (fault !== undefined || !envelope.success)
    throw new LanewayError(
      'payload.invalid',
      `${event.eventType} cannot be emitted: ${fault?.path.join('.') ?? ''}: ${fault?.message ?? 'invalid'}`,
    );
  const body = JSON.stringify(envelope.data);
  const [unstorable] = mayBeUnstorable(body) ? findUnstorable(envelope.data, 1) : [];
  if (unstorable !== undefined)
    throw new LanewayError(
      'payload.invalid',
      `${event.eventType} cannot be emitted: ${formatPath(unstorable.path)}: ${unstorable.message}`,
    );
  return {
    eventId: event.eventId,
    eventType: event.eventType,
    merchantId: lane,
    destination: definition.topic === undefined ? `queue:${definition.queue}` : `topic:${definition.topic}`,
    attributes: messageAttributes(event.eventType, definition.routingKey, lane, definition.priority),
    body: Buffer.from(body, 'utf8'),
  };
}

/** What subscriptions filter on. */
export const messageAttributes = (
  eventType: string,
  routingKey: string,
  merchantId: string,
  priority: string,
): Record<string, string> => ({ eventType, routingKey, merchantId, priority });
