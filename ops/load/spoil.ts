import type { LoadEvent } from './load-event.ts';
import type { Random } from './random.ts';

/** Events whose message about a person would be kept out of a dead letter, so that none could be told from another. */
const aboutPeople = new Set(['NotificationDispatchRequestedEvent']);

export const canSpoil = ({ event }: LoadEvent): boolean => !aboutPeople.has(event.eventType);

/** What a broken producer sends: text that is cut off, an event without its payload's time, a version nobody can read. */
export function spoil(load: LoadEvent, random: Random): LoadEvent {
  switch (random.below(3)) {
    case 0:
      return { ...load, body: load.body.slice(0, -1 - random.below(20)), isPoison: true };
    case 1: {
      const { timestamp: _, ...payload } = load.event.payload;
      return withEvent(load, { ...load.event, payload });
    }
    default: {
      const { eventVersion: _, ...event } = load.event;
      return withEvent(load, event);
    }
  }
}

const withEvent = (load: LoadEvent, event: LoadEvent['event']): LoadEvent => ({
  ...load,
  event,
  body: JSON.stringify(event),
  isPoison: true,
});
