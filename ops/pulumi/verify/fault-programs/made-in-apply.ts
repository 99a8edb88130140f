import * as sqs from '@pulumi/aws/sqs/index.js';

/** A resource that exists only once another one does: no preview shows it. */
const queue = new sqs.Queue('orders');
export const policy = queue.arn.apply(
  (arn) => new sqs.QueuePolicy('orders', { queueUrl: queue.url, policy: `{"for":"${arn}"}` }),
);
