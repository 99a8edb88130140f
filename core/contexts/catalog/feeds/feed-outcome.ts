import { z } from 'zod';

/** What a network said about an item of a run. */
export const itemVerdict = z.object({
  itemId: z.string(),
  run: z.int(),
  state: z.enum(['submitted', 'accepted', 'rejected', 'removed']),
  issues: z.array(
    z.object({ severity: z.enum(['error', 'warning']), code: z.string(), attribute: z.string(), message: z.string() }),
  ),
});
/** What a call about a feed came to, in the shape in which it is kept until it is recorded. */
export const feedOutcome = z.object({
  verdicts: z.array(itemVerdict),
  /** Products whose items are to be built and sent again. */
  again: z.array(z.string()),
  /** Items that are still to be looked at. */
  open: z.int(),
});
export type FeedOutcome = z.infer<typeof feedOutcome>;
