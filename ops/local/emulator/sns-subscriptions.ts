import { SnsError } from './fauxqs-internals.ts';
import { parseDeadLetterTarget } from './redrive-policy.ts';
import { parseFilterPolicy } from './sns-filters.ts';
import type { Form, Stores } from './sns-publish.ts';

/** What fauxqs lets through and AWS refuses. fauxqs stores the subscription itself. */
export function refuseFaultySubscription({ topics }: Stores, form: Form): void {
  const endpoint = form['Endpoint'] ?? '';
  const topic = topics.getTopic(form['TopicArn'] ?? '');
  if (form['Protocol'] === 'sqs' && topic !== undefined) {
    if (!/^arn:aws[a-z-]*:sqs:[^:]+:\d{12}:[^:]+$/.test(endpoint)) throw invalid('SQS endpoint ARN');
    if (endpoint.endsWith('.fifo') && topic.attributes['FifoTopic'] !== 'true') {
      throw invalid('Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics');
    }
  }
  for (let i = 1; form[`Attributes.entry.${i}.key`] !== undefined; i++) {
    refuseFaultyAttribute(form[`Attributes.entry.${i}.key`], form[`Attributes.entry.${i}.value`]);
  }
}

export function refuseFaultyAttribute(name: string | undefined, value = ''): void {
  if (value === '') return;
  if (name === 'FilterPolicy') parseFilterPolicy(value);
  if (name === 'FilterPolicyScope' && value !== 'MessageAttributes' && value !== 'MessageBody') {
    throw invalid('FilterPolicyScope: must be MessageAttributes or MessageBody');
  }
  if (name === 'RedrivePolicy' && parseDeadLetterTarget(value) === undefined) {
    throw invalid('RedrivePolicy: needs a deadLetterTargetArn');
  }
}

const invalid = (reason: string) => new SnsError('InvalidParameter', `Invalid parameter: ${reason}`);
