import { shardOf } from '../../runtime/ids.ts';
import type { Ordering } from './tables.ts';

/** How many deliveries of one endpoint can be under way side by side. */
const PARALLEL = 4;

/** The effect lane of an endpoint that carries a delivery: `s` in sequence, else one of several. */
export const laneOf = (ordering: Ordering, eventId: string): string =>
  ordering === 'sequential' ? 's' : String(shardOf(eventId, PARALLEL));

/** `webhook:ep-1:s`: a destination of its own, with its own pace and breaker. */
export const destinationOf = (endpointId: string, lane: string): string => `webhook:${endpointId}:${lane}`;
