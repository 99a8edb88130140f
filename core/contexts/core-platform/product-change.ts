import type { z } from 'zod';
import { type BuiltEvent, buildEvent } from '../../events/build.ts';
import { MAX_MESSAGE_BYTES } from '../../events/dead-letter.ts';
import { id, isoTimestamp } from '../../events/envelope.ts';
import type { Registry } from '../../events/registry.ts';
import { findUnstorable } from '../../events/unstorable.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { derivedEventId } from '../../runtime/ids.ts';
import {
  productCoreDataUpdatedEvent,
  productCoreDataUpdatedPayloadV1,
  upcastProductChange,
} from '../catalog/events.ts';

/** Room that a message needs beside its body. */
const ATTRIBUTE_BYTES = 8_192;
/** Faults told of one change. */
const MAX_FAULTS = 5;

/** A change of a product as the core platform tells it, whichever way it comes. */
export const productChange = productCoreDataUpdatedPayloadV1
  .omit({ merchantId: true })
  .extend({ changeId: id(128) })
  .superRefine((change, context) => {
    // Nested as it will be in the message, so that what passes here passes there.
    for (const { path, message } of findUnstorable({ payload: change }, MAX_FAULTS))
      context.addIssue({ code: 'custom', path: path.slice(1), message });
  });

export type ProductChange = z.infer<typeof productChange>;

/** A line of an import: what it leaves out, the import says for it. */
export const importedProduct = productCoreDataUpdatedPayloadV1
  .omit({ merchantId: true, operationType: true, timestamp: true })
  .extend({
    operationType: productCoreDataUpdatedPayloadV1.shape.operationType.optional(),
    timestamp: isoTimestamp.optional(),
  });

/**
 * The same change gives the same bytes whenever and however it is delivered, ids and times included: the engine drops a
 * repeated event only if nothing in it differs, and calls it a conflict otherwise. So the time of emission is the change's
 * own, and the trace starts at the event instead of at the request.
 */
function toProductEvent(registry: Registry, merchantId: string, { changeId, ...change }: ProductChange): BuiltEvent {
  const payload = upcastProductChange(change);
  const eventId = derivedEventId(JSON.stringify([merchantId, changeId]), 'receiveProductChanges', 0);
  const digits = eventId.replaceAll('-', '');
  return buildEvent(registry, {
    eventId,
    eventType: productCoreDataUpdatedEvent.name,
    merchantId,
    correlationId: `core-platform:${changeId}`,
    traceparent: `00-${digits}-${digits.slice(16)}-01`,
    timestamp: payload.timestamp,
    payload,
  });
}

const isOversized = ({ body }: BuiltEvent): boolean => body.length + ATTRIBUTE_BYTES > MAX_MESSAGE_BYTES;

/** The event of a change, or why none can carry it: what is wrong with one change must not stop the others. */
export function productEventOf(
  registry: Registry,
  merchantId: string,
  change: ProductChange,
): { event: BuiltEvent } | { fault: string } {
  try {
    const event = toProductEvent(registry, merchantId, change);
    return isOversized(event) ? { fault: 'is too large for one event' } : { event };
  } catch (error) {
    if (error instanceof LanewayError && error.code === 'payload.invalid') return { fault: error.message };
    throw error;
  }
}
