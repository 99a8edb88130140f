import { z } from 'zod';

/**
 * What a handler of a chaos run does to an event before it does its work, drawn from the seed by the producer and carried
 * in the payload, so that every worker and every try of the event finds the same plan.
 *
 * fail    throws on its first `times` runs
 * poison  throws on every run until an operator has repaired the cause
 * snooze  asks `times` times to come back later
 * slow    takes its time
 * die     kills its process once
 * stuck   throws until it is tried again, hangs on that run until an operator has repaired the cause, and then throws
 */
const trouble = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('fail'), times: z.int().min(1).max(3) }),
  z.object({ kind: z.literal('poison'), retry: z.enum(['never', 'backoff']) }),
  z.object({ kind: z.literal('snooze'), ms: z.int().min(1).max(60_000), times: z.int().min(1).max(10) }),
  z.object({ kind: z.literal('slow'), ms: z.int().min(1).max(1_000) }),
  z.object({ kind: z.literal('die') }),
  z.object({ kind: z.literal('stuck') }),
]);

export type Trouble = z.infer<typeof trouble>;

/** By handler name; a handler that is not named goes through. */
export const troublesSchema = z.record(z.string(), trouble);
export type Troubles = z.infer<typeof troublesSchema>;

const carrier = z.looseObject({ chaos: troublesSchema.optional() });

/** The trouble that an event's payload plans for a handler. */
export function troubleOf(payload: unknown, handler: string): Trouble | undefined {
  return carrier.parse(payload).chaos?.[handler];
}
