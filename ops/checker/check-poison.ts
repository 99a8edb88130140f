import type { SentEvent } from '../load/load-event.ts';
import { type Evidence, type Finding, keyOf } from './evidence.ts';

/** What nobody can read must lie in a dead-letter queue as it was sent, and must have had no effect. */
export function checkPoison(
  sent: readonly SentEvent[],
  { deadLetters, accepted: rows }: Pick<Evidence, 'accepted' | 'deadLetters'>,
): Finding[] {
  const letters = new Set(deadLetters.flatMap(({ body }) => [body, withoutEnvelope(body)]));
  const accepted = new Set(rows.map(({ merchantId, eventId }) => keyOf(merchantId, eventId)));
  return sent.flatMap(({ merchantId, event, body, isPoison }): Finding[] => {
    if (isPoison !== true) return [];
    const name = `event ${event.eventId} of ${merchantId}, which cannot be read,`;
    if (accepted.has(keyOf(merchantId, event.eventId))) return [{ kind: 'duplicated', what: `${name} was accepted` }];
    return letters.has(body) ? [] : [{ kind: 'lost', what: `${name} is in no dead-letter queue` }];
  });
}

/** What came by a topic may lie in the envelope that the topic put around it. */
function withoutEnvelope(body: string): string {
  try {
    const outer: unknown = JSON.parse(body);
    return typeof outer === 'object' && outer !== null && 'Message' in outer ? String(outer.Message) : body;
  } catch {
    return body;
  }
}
