import { z } from 'zod';
import { id } from '../../../events/envelope.ts';
import { minorToMicros } from '../../../money/currency.ts';

const metrics = ['roas', 'ctr', 'cpa', 'spend'] as const;
type Metric = (typeof metrics)[number];

const fallsIsBad = (metric: Metric): boolean => metric === 'roas' || metric === 'ctr';

/**
 * What a rule looks at. `roas` is in thousandths, `ctr` in parts per million, `cpa` and `spend` in minor units of the
 * campaign's currency. A rule trips when ROAS or CTR falls under `limit`, or cost rises over it; it is armed again when the
 * figure is back at `rearmAt`, which lies on the good side of the limit, so that a figure that wavers around it does not
 * switch the campaign on and off.
 */
export const ruleDefinition = z
  .strictObject({
    metric: z.enum(metrics),
    limit: z.int().min(1).max(1_000_000_000_000),
    rearmAt: z.int().min(0).max(1_000_000_000_000),
    /** Whole days before today (UTC) that are looked at together. */
    days: z.int().min(1).max(30),
    /** Minor units that must have been spent in these days: less says nothing. */
    minSpendMinor: z.int().min(1).max(1_000_000_000),
    /** All of the merchant's unless it names some. */
    campaignIds: z.array(id(128)).min(1).max(500).optional(),
    /** `tell` sends the webhook alone. */
    action: z.enum(['pause', 'tell']).default('pause'),
    /** Activate a campaign again that the rule has paused, and nobody has touched since. */
    resume: z.boolean().default(false),
    /** After the rule has tripped or was armed again for a campaign, it leaves the campaign alone for as long. */
    cooldownHours: z.int().min(0).max(720).default(24),
  })
  .refine(({ metric, limit, rearmAt }) => (fallsIsBad(metric) ? rearmAt >= limit : rearmAt <= limit), {
    path: ['rearmAt'],
    error: 'must lie on the good side of limit: not under it for roas and ctr, not over it for cpa and spend',
  });

export type RuleDefinition = z.infer<typeof ruleDefinition>;

/** Sums over the rule's days in the campaign's currency. */
export interface Figures {
  impressions: number;
  clicks: number;
  orders: number;
  spendMicros: bigint;
  revenueMinor: bigint;
}

export interface Judgement {
  verdict: 'trip' | 'rearm' | 'stay';
  /** The figure in the unit of the rule; undefined when it cannot be told. */
  value: number | undefined;
}

export function judge(rule: RuleDefinition, currency: string, figures: Figures, tripped: boolean): Judgement {
  // A window that has forgotten the bad days says nothing against the campaign any more.
  if (figures.spendMicros < minorToMicros(rule.minSpendMinor, currency))
    return { verdict: tripped ? 'rearm' : 'stay', value: undefined };
  const value = valueOf(rule, currency, figures);
  const bad = fallsIsBad(rule.metric) ? value < rule.limit : value > rule.limit;
  const good = fallsIsBad(rule.metric) ? value >= rule.rearmAt : value <= rule.rearmAt;
  if (tripped) return { verdict: good ? 'rearm' : 'stay', value };
  return { verdict: bad ? 'trip' : 'stay', value };
}

/** Costs of what brought nothing are past every limit. */
const BOUNDLESS = Number.MAX_SAFE_INTEGER;

function valueOf({ metric }: RuleDefinition, currency: string, figures: Figures): number {
  const { impressions, clicks, orders, spendMicros, revenueMinor } = figures;
  const microsPerMinor = minorToMicros(1, currency);
  switch (metric) {
    case 'roas':
      return Number((revenueMinor * microsPerMinor * 1_000n) / spendMicros);
    case 'ctr':
      return impressions === 0 ? 0 : Number((BigInt(clicks) * 1_000_000n) / BigInt(impressions));
    case 'cpa':
      return orders <= 0 ? BOUNDLESS : Number(spendMicros / microsPerMinor / BigInt(orders));
    case 'spend':
      return Number(spendMicros / microsPerMinor);
    default:
      return metric satisfies never;
  }
}
