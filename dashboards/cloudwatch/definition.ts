import { type MetricKey, type Dimensions, metricNamespace, metrics } from '../../core/runtime/metric-catalogue.ts';

/** Alarms and panels as data, whoever provisions them. */

/** A name known only once the resource exists; whoever provisions puts it in. */
export interface ResourceReference {
  readonly resource: 'gatewayLoadBalancer' | 'gatewayBlueTargets' | 'gatewayGreenTargets';
}

export interface MetricStat {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string | ResourceReference>>;
  /** `Sum`, `Maximum`, … or a percentile such as `p95`. */
  readonly stat: string;
  readonly periodSeconds: number;
}

export type Query =
  | { readonly id: string; readonly metric: MetricStat }
  /** CloudWatch metric math over the ids of the other queries. */
  | { readonly id: string; readonly expression: string; readonly label: string };

export const severities = ['critical', 'warning'] as const;
export type Severity = (typeof severities)[number];
/** Whom an alarm tells, in the order in which it goes up. Each is a topic with subscribers of its own. */
export const recipients = ['on-call', 'operations', 'development'] as const;
export type Recipient = (typeof recipients)[number];

export interface AlarmDefinition {
  /** Without the stack's prefix; unique. */
  readonly name: string;
  /** What somebody would say who sees it. */
  readonly symptom: string;
  readonly severity: Severity;
  readonly respond: 'at once' | 'within 1 hour' | 'within 4 hours';
  readonly notify: readonly [Recipient, ...Recipient[]];
  /** Who is told in person, and in which order, while it stays. */
  readonly escalation: readonly string[];
  /** File in ops/runbooks. */
  readonly runbook: string;
  /** The last one is what the threshold is compared with. */
  readonly queries: readonly [Query, ...Query[]];
  readonly comparison: 'above' | 'at-or-above' | 'below';
  readonly threshold: number;
  /** Alarm when `datapoints` of the last `periods` breach. */
  readonly periods: number;
  readonly datapoints: number;
  /** What a period without data says. `breaching` where silence itself is the fault. */
  readonly missing: 'notBreaching' | 'breaching' | 'ignore';
  /** A rollout during which it goes off is taken back. */
  readonly rollsBack?: true;
}

export interface PanelDefinition {
  readonly title: string;
  readonly queries: readonly [Query, ...Query[]];
  readonly unit: string;
  /** A line at each, usually an alarm's threshold. */
  readonly marks: readonly { readonly label: string; readonly value: number }[];
}

/** A metric of the catalogue: what is not in it cannot be watched. */
export const ours = <K extends MetricKey>(
  key: K,
  dimensions: Dimensions<K>,
  stat: string,
  periodSeconds: number,
): MetricStat => ({ namespace: metricNamespace, name: metrics[key].name, dimensions, stat, periodSeconds });

export const theirs = (
  namespace: `AWS/${string}` | 'ECS/ContainerInsights',
  name: string,
  dimensions: MetricStat['dimensions'],
  stat: string,
  periodSeconds: number,
): MetricStat => ({ namespace, name, dimensions, stat, periodSeconds });

export const single = (metric: MetricStat): readonly [Query] => [{ id: 'value', metric }];
