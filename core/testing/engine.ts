import { randomUUID } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Database } from '../database/tables.ts';
import { dayOf } from '../runtime/clock.ts';
import { newTraceparent } from '../runtime/tracing.ts';

export interface SeededEvent {
  merchantId: string;
  eventType: string;
  payload: Record<string, unknown>;
  eventId?: string;
}

/**
 * Puts events into mailbox, accepted and inbox as accepting would, for tests that start behind the intake. Returns their
 * mseq numbers in the order given.
 */
export async function seedInbox(db: Kysely<Database>, events: readonly SeededEvent[]): Promise<number[]> {
  const now = new Date();
  const day = dayOf(now.getTime());
  const numbers: number[] = [];
  for (const { merchantId, eventType, payload, eventId = randomUUID() } of events) {
    const { next_mseq } = await db
      .insertInto('mailbox')
      .values({ merchant_id: merchantId, next_mseq: 2, last_day: day, touched_at: now })
      .onConflict((c) =>
        c
          .column('merchant_id')
          .doUpdateSet((set) => ({ next_mseq: set('mailbox.next_mseq', '+', 1), touched_at: now })),
      )
      .returning('next_mseq')
      .executeTakeFirstOrThrow();
    const mseq = next_mseq - 1;
    const body = Buffer.from(
      JSON.stringify({
        eventId,
        eventType,
        eventVersion: '1.0.0',
        timestamp: now.toISOString(),
        sourceService: 'test',
        correlationId: `cor-${eventId}`,
        merchantId,
        payload,
      }),
    );
    const key = { merchant_id: merchantId, mseq, day, event_id: eventId };
    await db
      .insertInto('accepted')
      .values({ ...key, body_hmac: Buffer.from('test'), accepted_at: now })
      .execute();
    await db
      .insertInto('inbox')
      .values({
        ...key,
        event_type: eventType,
        event_version: '1.0.0',
        correlation_id: `cor-${eventId}`,
        traceparent: newTraceparent(),
        source_queue: 'TestQueue',
        received_at: now,
        bytes: body.length,
        body,
        key_id: null,
      })
      .execute();
    numbers.push(mseq);
  }
  return numbers;
}
