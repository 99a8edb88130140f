import {
  deadLetterRetentionSeconds,
  nativeMaxReceiveCount,
  queueRetentionSeconds,
} from '../../../../core/events/topology.ts';
import { type Graph, type Resource, document, ofType, statementsOf, shown } from '../graph.ts';
import { type Check, complain } from './check.ts';

const QUEUE = 'aws:sqs/queue:Queue';

const queueNamed = (graph: Graph, name: string): Resource | undefined =>
  ofType(graph, QUEUE).find(({ inputs }) => inputs['name'] === name);

export const queuesOfTheRegistry: Check = {
  name: 'every queue of the registry is there, with its dead-letter queue, and no other',
  complaints: (graph, { topology }) => {
    const wanted = topology.queues.flatMap((queue) => [queue.physicalName, queue.deadLetterQueue.physicalName]);
    const made = ofType(graph, QUEUE).map(({ inputs }) => shown(inputs['name']));
    return [
      ...wanted.filter((name) => !made.includes(name)).map((name) => `${name} is missing`),
      ...made.filter((name) => !wanted.includes(name)).map((name) => `${name} is in no event of the registry`),
    ];
  },
};

export const queuesKeepOrder: Check = {
  name: 'a queue is FIFO at high throughput where its route keeps order, and named so',
  complaints: (graph, { topology }) =>
    topology.queues
      .flatMap((queue) => [queue.physicalName, queue.deadLetterQueue.physicalName].map((name) => ({ name, queue })))
      .flatMap(({ name, queue }) => {
        const made = queueNamed(graph, name)?.inputs;
        if (made === undefined) return [];
        const fifo = made['fifoQueue'] === true;
        return [
          ...complain(fifo !== queue.fifo, `${name}: FIFO is ${fifo}, its route says ${queue.fifo}`),
          ...complain(fifo !== name.endsWith('.fifo'), `${name}: its name does not say whether it is FIFO`),
          ...complain(
            fifo &&
              (made['deduplicationScope'] !== 'messageGroup' || made['fifoThroughputLimit'] !== 'perMessageGroupId'),
            `${name}: one merchant’s messages would slow all others`,
          ),
        ];
      }),
};

export const queuesRedrive: Check = {
  name: 'what a queue gives up goes to its own dead-letter queue, which takes it from nowhere else',
  complaints: (graph, { topology }) =>
    topology.queues.flatMap((queue) => {
      const source = queueNamed(graph, queue.physicalName);
      const dead = queueNamed(graph, queue.deadLetterQueue.physicalName);
      if (source === undefined || dead === undefined) return [];
      if (source.inputs['redrivePolicy'] === undefined) return [`${queue.name} has no redrive policy`];
      const redrive = JSON.stringify(document(source, 'redrivePolicy'));
      const allow = ofType(graph, 'aws:sqs/redriveAllowPolicy:RedriveAllowPolicy').find(({ inputs }) =>
        shown(inputs['queueUrl']).endsWith(`/${queue.deadLetterQueue.physicalName}`),
      );
      const allowed = allow === undefined ? '' : JSON.stringify(document(allow, 'redriveAllowPolicy'));
      return [
        ...complain(
          !redrive.includes(`:${queue.deadLetterQueue.physicalName}"`),
          `${queue.name} redrives to another queue: ${redrive}`,
        ),
        ...complain(
          !redrive.includes(`"maxReceiveCount":${nativeMaxReceiveCount}`),
          `${queue.name}: a poller that backs off would push heads of line into the DLQ`,
        ),
        ...complain(
          !allowed.includes('byQueue') || !allowed.includes(`:${queue.physicalName}"`),
          `${queue.deadLetterQueue.name} takes letters from other queues`,
        ),
      ];
    }),
};

export const queuesKeepMessages: Check = {
  name: 'queues keep messages for 4 days, dead-letter queues for 14',
  complaints: (graph, { topology }) =>
    topology.queues.flatMap((queue) => {
      const [kept, dead] = [queue.physicalName, queue.deadLetterQueue.physicalName].map(
        (name) => queueNamed(graph, name)?.inputs['messageRetentionSeconds'],
      );
      return [
        ...complain(
          kept !== queueRetentionSeconds || kept !== 345_600,
          `${queue.name} keeps messages for ${shown(kept)} s`,
        ),
        ...complain(
          dead !== deadLetterRetentionSeconds || dead !== 1_209_600,
          `${queue.deadLetterQueue.name} keeps letters for ${shown(dead)} s`,
        ),
      ];
    }),
};

export const topicsReachQueues: Check = {
  name: 'each subscription of the registry is there, raw, filtered, with a DLQ, and its queue lets its topic in',
  complaints: (graph, { topology }) =>
    topology.queues.flatMap((queue) => {
      const wanted = queue.subscription;
      if (wanted === undefined) return [];
      const subscription = ofType(graph, 'aws:sns/topicSubscription:TopicSubscription').find(
        ({ inputs }) =>
          shown(inputs['endpoint']).endsWith(`:${queue.physicalName}`) &&
          shown(inputs['topic']).endsWith(`:${wanted.physicalTopic}`),
      );
      if (subscription === undefined) return [`${queue.name} is not subscribed to ${wanted.topic}`];
      const filter = subscription.inputs['filterPolicy'];
      const policy = ofType(graph, 'aws:sqs/queuePolicy:QueuePolicy').find(({ inputs }) =>
        shown(inputs['queueUrl']).endsWith(`/${queue.physicalName}`),
      );
      const lets =
        policy !== undefined &&
        statementsOf(policy).some(
          (statement) =>
            statement.effect === 'Allow' &&
            statement.principals.includes('sns.amazonaws.com') &&
            statement.actions.includes('sqs:SendMessage') &&
            JSON.stringify(statement.condition).includes(`:${wanted.physicalTopic}"`),
        );
      return [
        ...complain(subscription.inputs['rawMessageDelivery'] !== true, `${queue.name}: delivery is not raw`),
        ...complain(
          filter !== (wanted.filter === undefined ? undefined : JSON.stringify(wanted.filter)),
          `${queue.name}: its filter is ${shown(filter)}`,
        ),
        ...complain(
          subscription.inputs['redrivePolicy'] === undefined,
          `${queue.name}: what SNS cannot deliver is lost`,
        ),
        ...complain(!lets, `${queue.name} does not let ${wanted.topic} send: its messages vanish`),
      ];
    }),
};

export const alarmTopicsAreStandard: Check = {
  name: 'topics of alarms are standard and let CloudWatch publish',
  complaints: (graph) =>
    ofType(graph, 'aws:sns/topic:Topic')
      .filter(({ inputs }) => shown(inputs['name']).includes('-alarms-'))
      .flatMap((topic) => {
        const policy = ofType(graph, 'aws:sns/topicPolicy:TopicPolicy').find(({ name }) => name === topic.name);
        const lets =
          policy !== undefined &&
          statementsOf(policy).some(
            ({ effect, principals }) => effect === 'Allow' && principals.includes('cloudwatch.amazonaws.com'),
          );
        return [
          ...complain(topic.inputs['fifoTopic'] === true, `${topic.name} is FIFO: mail and HTTPS get nothing from it`),
          ...complain(!lets, `${topic.name} does not let CloudWatch publish`),
        ];
      }),
};
