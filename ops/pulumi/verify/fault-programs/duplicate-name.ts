import * as sqs from '@pulumi/aws/sqs/index.js';

/** Two resources of one name. */
export const queues = [new sqs.Queue('orders'), new sqs.Queue('orders')];
