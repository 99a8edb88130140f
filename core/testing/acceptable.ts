import { randomUUID } from 'node:crypto';
import { createBodyHmac } from '../runtime/ids.ts';
import { newTraceparent } from '../runtime/tracing.ts';

/** An event as decoding leaves it, for tests that start behind the decoder. The body is no envelope unless it is given. */
export function acceptable(merchantId: string, eventId: string = randomUUID(), body = `body of ${eventId}`) {
  const bytes = Buffer.from(body);
  return {
    messageId: randomUUID(),
    receiptHandle: 'none',
    sourceQueue: 'TestQueue',
    eventId,
    eventType: 'TestEvent',
    eventVersion: '1.0.0',
    merchantId,
    correlationId: `cor-${eventId.slice(0, 20)}`,
    traceparent: newTraceparent(),
    body: bytes,
    bodyHmac: createBodyHmac('a key for tests only')(bytes),
  };
}
