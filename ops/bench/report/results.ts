import { z } from 'zod';

/**
 * The results as they are read back from a file: only what the figures and the page are made of. A part that was not run
 * is absent.
 */
const spread = z.object({ median: z.number(), min: z.number(), max: z.number() });
const spreads = z.record(z.string(), spread);
const ratios = z.record(z.string(), z.number());

/** A part in which contenders ran beside each other. */
const contest = z.looseObject({ spread: spreads, ratios, ratioSpread: spreads, events: z.number() });

export const resultsSchema = z.object({
  machine: z.object({ cpu: z.string(), cores: z.number(), memoryGb: z.number(), platform: z.string() }),
  versions: z.record(z.string(), z.string()),
  settings: z.record(z.string(), z.string()),
  date: z.string(),
  options: z.object({ pairs: z.number(), scale: z.number() }),
  lanes: contest.extend({ enqueue: z.object({ spread: spreads }), drain: z.object({ spread: spreads }) }).optional(),
  engine: contest.extend({ deep: z.object({ events: z.number(), ours: z.number(), ratios }) }).optional(),
  sparse: contest.optional(),
  failing: contest.optional(),
  accept: contest.optional(),
  pipeline: contest
    .extend({
      servers: z.record(z.string(), z.record(z.string(), z.number())),
      /** Of results from before it was measured there is none. */
      ratiosWithStores: ratios.optional(),
      stages: z.array(z.object({ stage: z.string(), share: z.number() })),
    })
    .optional(),
  scale: z
    .object({
      rows: z.array(
        z.object({
          merchants: z.number(),
          ours: z.number(),
          redisBytesPerIdleMerchant: z.number(),
          redisClients: z.number(),
          idleCommandsPerSecond: z.number(),
        }),
      ),
      ratios,
      ratioSpread: spreads,
    })
    .optional(),
  fairness: z.object({ spread: spreads, ratios, ratioSpread: spreads, backlog: z.number() }).optional(),
  latency: z
    .object({
      idle: z.object({ p50Ms: z.number(), p99Ms: z.number() }),
      emulator: z.object({ p50Ms: z.number(), p99Ms: z.number() }),
      over: z.object({ p50Ms: z.number(), p99Ms: z.number() }),
      capacityPerSecond: z.number(),
      growth: z.array(
        z.object({ percent: z.number(), eventsPerSecond: z.number(), p50Ms: z.number(), p99Ms: z.number() }),
      ),
    })
    .optional(),
  recovery: z.object({ leaseMs: z.number(), killMs: z.number(), sigtermMs: z.number(), spread: spreads }).optional(),
  memory: z.object({ merchants: z.number(), heapMbAfterRound: z.array(z.number()), ratios }).optional(),
});

export type Results = z.infer<typeof resultsSchema>;
