import type { EventDefinition } from '../../core/events/definition.ts';
import type { QueueTopology, Topology } from '../../core/events/topology.ts';
import { type AlarmDefinition, ours, single, theirs } from './definition.ts';

/** Five minutes: the specification's window for error rates. */
const FIVE_MINUTES = 300;
const ONE_MINUTE = 60;
/** Below this many runs in five minutes one failure is not a rate. */
const MIN_RUNS = 20;
/** A long poll takes 20 s at most, and backing off after errors 30 s more. */
const SILENT_AFTER_SECONDS = 120;

/** The alarms of everything that the registry implies: its events, handlers, queues and topics. */
export const eventAlarms = (topology: Topology): AlarmDefinition[] => {
  const events = [
    ...new Map(topology.queues.flatMap(({ events: own }) => own.map((e) => [e.name, e] as const))).values(),
  ];
  return [
    ...topology.queues.flatMap(queueAlarms),
    ...topology.topics.map(({ name, physicalName }) => notificationsFailed(name, physicalName)),
    ...events.map(eventLate),
    ...events.flatMap((event) => event.handlers.map((handler) => handlerErrors(event, handler.name))),
  ];
};

const queueMetric = (name: string, queue: string, stat: string) =>
  theirs('AWS/SQS', name, { QueueName: queue }, stat, ONE_MINUTE);

const strictest = (queue: QueueTopology, pick: (limits: EventDefinition['thresholds']) => number): number =>
  Math.min(...queue.events.map((event) => pick(event.thresholds)));

function queueAlarms(queue: QueueTopology): AlarmDefinition[] {
  const critical = queue.events.some((event) => event.criticality === 'critical');
  const depth = strictest(queue, (limits) => limits.queueDepth);
  const age = strictest(queue, (limits) => limits.queueAgeSeconds);
  const backlog = {
    severity: 'warning',
    respond: 'within 4 hours',
    notify: ['operations', 'development'],
    escalation: ['operations team', 'development team'],
    runbook: 'events-wait-in-a-queue.md',
    comparison: 'above',
    periods: 5,
    datapoints: 5,
    missing: 'notBreaching',
  } as const;
  return [
    {
      name: `${queue.deadLetterQueue.name}-not-empty`,
      symptom: `events of ${queue.name} were given up`,
      severity: critical ? 'critical' : 'warning',
      respond: critical ? 'at once' : 'within 1 hour',
      notify: critical ? ['on-call', 'operations', 'development'] : ['development', 'operations'],
      escalation: critical ? ['on-call engineer', 'development team lead'] : ['development team'],
      runbook: 'events-were-given-up.md',
      queries: single(queueMetric('ApproximateNumberOfMessagesVisible', queue.deadLetterQueue.physicalName, 'Maximum')),
      comparison: 'above',
      threshold: 0,
      periods: 1,
      datapoints: 1,
      missing: 'notBreaching',
    },
    {
      ...backlog,
      name: `${queue.name}-deep`,
      symptom: `more than ${depth} messages wait in ${queue.name}`,
      queries: single(queueMetric('ApproximateNumberOfMessagesVisible', queue.physicalName, 'Maximum')),
      threshold: depth,
    },
    {
      ...backlog,
      name: `${queue.name}-old`,
      symptom: `a message waits in ${queue.name} for more than ${age} seconds`,
      queries: single(queueMetric('ApproximateAgeOfOldestMessage', queue.physicalName, 'Maximum')),
      threshold: age,
    },
    {
      name: `${queue.name}-poller-silent`,
      symptom: `nobody receives from ${queue.name}`,
      severity: 'critical',
      respond: 'at once',
      notify: ['on-call', 'operations'],
      escalation: ['on-call engineer', 'development team lead'],
      runbook: 'nobody-receives-from-a-queue.md',
      // The youngest age over all workers: one that polls is enough.
      queries: single(ours('pollerAge', { queue: queue.name }, 'Minimum', ONE_MINUTE)),
      comparison: 'above',
      threshold: SILENT_AFTER_SECONDS,
      periods: 3,
      datapoints: 3,
      missing: 'breaching',
    },
  ];
}

const notificationsFailed = (name: string, physicalName: string): AlarmDefinition => ({
  name: `${name}-notifications-failed`,
  symptom: `SNS could not hand over what was published to ${name}`,
  severity: 'critical',
  respond: 'at once',
  notify: ['on-call', 'operations'],
  escalation: ['on-call engineer', 'development team lead'],
  runbook: 'a-topic-does-not-deliver.md',
  queries: single(theirs('AWS/SNS', 'NumberOfNotificationsFailed', { TopicName: physicalName }, 'Sum', FIVE_MINUTES)),
  comparison: 'above',
  threshold: 0,
  periods: 1,
  datapoints: 1,
  missing: 'notBreaching',
});

const eventLate = ({ name, thresholds, priority }: EventDefinition): AlarmDefinition => ({
  name: `${name}-late`,
  symptom: `${name} takes longer than ${thresholds.latencyMs} ms from end to end`,
  severity: 'warning',
  respond: priority === 'high' ? 'within 1 hour' : 'within 4 hours',
  notify: ['operations', 'development'],
  escalation: ['operations team', 'development team'],
  runbook: 'events-are-late.md',
  queries: single(ours('eventLatency', { event: name }, 'p95', FIVE_MINUTES)),
  comparison: 'above',
  threshold: thresholds.latencyMs,
  periods: 3,
  datapoints: 3,
  missing: 'notBreaching',
});

const handlerErrors = ({ thresholds }: EventDefinition, handler: string): AlarmDefinition => ({
  name: `${handler}-errors`,
  symptom: `more than ${thresholds.errorRatePercent} % of the runs of ${handler} fail`,
  severity: 'warning',
  respond: 'within 1 hour',
  notify: ['development'],
  escalation: ['development team'],
  runbook: 'a-handler-fails.md',
  queries: [
    { id: 'runs', metric: ours('handlerRuns', { handler }, 'Sum', FIVE_MINUTES) },
    { id: 'errors', metric: ours('handlerErrors', { handler }, 'Sum', FIVE_MINUTES) },
    {
      id: 'rate',
      expression: `IF(runs > ${MIN_RUNS}, 100 * FILL(errors, 0) / runs, 0)`,
      label: 'failed runs in percent',
    },
  ],
  comparison: 'above',
  threshold: thresholds.errorRatePercent,
  periods: 1,
  datapoints: 1,
  missing: 'notBreaching',
  rollsBack: true,
});
