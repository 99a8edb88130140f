import type { LoadEvent } from '../load/load-event.ts';
import type { Evidence } from './evidence.ts';
import type { SentEvent as PlainEvent } from './recompute-invoices.ts';

/** What never took effect is in no report. */
export function effectiveEvents(
  sent: readonly LoadEvent[],
  { deadLetters, emitted }: Pick<Evidence, 'deadLetters' | 'emitted'>,
): PlainEvent[] {
  const dead = new Set(deadLetters.map(({ merchantId, eventId }) => JSON.stringify([merchantId, eventId])));
  const readable = sent.filter(({ isPoison }) => isPoison !== true);
  return [...readable.map(({ merchantId, event }) => ({ ...event, merchantId })), ...emitted]
    .filter(({ merchantId, eventId }) => !dead.has(JSON.stringify([merchantId, eventId])))
    .map(({ merchantId, eventId, eventType, payload }) => ({
      merchantId,
      eventId,
      eventType,
      payload: typeof payload === 'object' && payload !== null ? { ...payload } : {},
    }));
}
