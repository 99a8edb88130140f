/**
 * Every metric that processes emit: `docs/telemetry.md` is made from this list, alarms and panels can only name what is in
 * it, and a test finds where each is emitted.
 *
 * Dimensions are closed and small, never a merchant: what a merchant does is asked with `npm run lanes`.
 */
export interface MetricDefinition {
  readonly name: string;
  /** Counters and histograms are sent as what was added since the last report, gauges as they are. */
  readonly kind: 'counter' | 'gauge' | 'histogram';
  /** In UCUM, as OpenTelemetry wants it. */
  readonly unit: '1' | 's' | 'ms' | '%';
  readonly dimensions: readonly ('event' | 'handler' | 'queue')[];
  readonly meaning: string;
}

const metric = <const T extends MetricDefinition>(definition: T): T => definition;

export const metrics = {
  handlerRuns: metric({
    name: 'laneway.handler.runs',
    kind: 'counter',
    unit: '1',
    dimensions: ['handler'],
    meaning: 'ends of a handler that were committed: settled, or failed and recorded',
  }),
  handlerErrors: metric({
    name: 'laneway.handler.errors',
    kind: 'counter',
    unit: '1',
    dimensions: ['handler'],
    meaning: 'those of the runs that failed, whether they are tried again or given up',
  }),
  eventLatency: metric({
    name: 'laneway.event.latency',
    kind: 'histogram',
    unit: 'ms',
    dimensions: ['event'],
    meaning: 'from the timestamp of the envelope to the commit of a handler, for each handler that settled it as done',
  }),
  eventsAccepted: metric({
    name: 'laneway.events.accepted',
    kind: 'counter',
    unit: '1',
    dimensions: ['queue'],
    meaning: 'messages that became inbox rows, duplicates not counted',
  }),
  pollerAge: metric({
    name: 'laneway.poller.age',
    kind: 'gauge',
    unit: 's',
    dimensions: ['queue'],
    meaning: 'since the last successful receive, an empty one included; a poller that died silently shows here',
  }),
  intakeClosed: metric({
    name: 'laneway.intake.closed',
    kind: 'gauge',
    unit: '1',
    dimensions: [],
    meaning: '1 while the intake gate keeps new messages out, else 0',
  }),
  lanesBlocked: metric({
    name: 'laneway.lanes.blocked',
    kind: 'gauge',
    unit: '1',
    dimensions: [],
    meaning: 'lanes that wait for an operator',
  }),
  deliveriesParked: metric({
    name: 'laneway.deliveries.parked',
    kind: 'gauge',
    unit: '1',
    dimensions: [],
    meaning: 'pairs of event and handler that were kept, held, for an operator',
  }),
  lanesBacklog: metric({
    name: 'laneway.lanes.backlog',
    kind: 'gauge',
    unit: '1',
    dimensions: [],
    meaning: 'events that are accepted and that their lane has not passed, of merchants who received one within a day',
  }),
  outboxLag: metric({
    name: 'laneway.outbox.lag',
    kind: 'gauge',
    unit: 's',
    dimensions: [],
    meaning: 'age of the oldest outbox row that is still to be sent',
  }),
  outboxUnsendable: metric({
    name: 'laneway.outbox.unsendable',
    kind: 'counter',
    unit: '1',
    dimensions: [],
    meaning: 'outbox rows that can never be sent as they are',
  }),
  fenceRefusals: metric({
    name: 'laneway.fence.refusals',
    kind: 'counter',
    unit: '1',
    dimensions: [],
    meaning: 'visits to a lane that ended because another owner had it',
  }),
} as const satisfies Record<string, MetricDefinition>;

export type MetricKey = keyof typeof metrics;
type DimensionsOf<K extends MetricKey> = (typeof metrics)[K]['dimensions'][number];
/** The dimensions a metric is recorded with: all that it declares, and no others. */
export type Dimensions<K extends MetricKey> = { readonly [D in DimensionsOf<K>]: string };

export type MetricKeyOfKind<Kind extends MetricDefinition['kind']> = {
  [K in MetricKey]: (typeof metrics)[K]['kind'] extends Kind ? K : never;
}[MetricKey];

/** Namespace of the metrics in CloudWatch. */
export const metricNamespace = 'Laneway';
