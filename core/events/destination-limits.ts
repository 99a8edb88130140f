import { z } from 'zod';

/**
 * What a destination lets all merchants together do, and what this fleet does when it does not answer. Data: a driver
 * declares it, a setting may replace it per destination.
 */
export const destinationLimits = z.strictObject({
  /**
   * At most `calls` begin in any window of `perMs`, whatever the number of workers and merchants. Up to `burst` of them may
   * come at once; the rest is spread evenly, so that a larger burst means a slower pace afterwards.
   */
  quota: z
    .array(
      z
        .strictObject({
          calls: z.int().min(3),
          perMs: z.int().min(100),
          burst: z.int().min(3).optional(),
        })
        .refine(({ calls, burst = 3 }) => burst <= calls, { error: 'burst cannot exceed calls' }),
    )
    .min(1)
    .max(4)
    .refine((windows) => new Set(windows.map(({ perMs }) => perMs)).size === windows.length, {
      error: 'two windows of one length',
    }),
  /** Effect lanes that one process works at a time: the others leave their slots to other destinations. */
  concurrency: z.int().min(1).max(1_000),
});

export type DestinationLimits = z.infer<typeof destinationLimits>;
export type QuotaWindow = DestinationLimits['quota'][number];
