/** A request to AWS as it goes over the wire. */
export interface AwsRequest {
  method: string;
  /** With its query. */
  url: string;
  headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  body: string;
}

/** Calls for many at a time are allowed by the action for one. */
const batches: Readonly<Record<string, string>> = {
  SendMessageBatch: 'SendMessage',
  DeleteMessageBatch: 'DeleteMessage',
  ChangeMessageVisibilityBatch: 'ChangeMessageVisibility',
  PublishBatch: 'Publish',
};
const services: Readonly<Record<string, string>> = { AmazonSQS: 'sqs', DynamoDB_20120810: 'dynamodb' };

const header = ({ headers }: AwsRequest, name: string): string => {
  const value = headers[name];
  return typeof value === 'string' ? value : '';
};

/** Who signed it, and for which service: `AWS4-HMAC-SHA256 Credential=<key>/<day>/<region>/<service>/aws4_request, …` */
export function signerOf(request: AwsRequest): { accessKeyId: string; service: string } {
  const [, accessKeyId = '', service = ''] =
    /Credential=([^/]+)\/\d+\/[^/]+\/([^/]+)\/aws4_request/.exec(header(request, 'authorization')) ?? [];
  return { accessKeyId, service };
}

/** The IAM action that a request needs, `sqs:SendMessage`. Throws for a request of a kind that nobody has sent before. */
export function actionOf(request: AwsRequest): string {
  const [protocol = '', operation = ''] = header(request, 'x-amz-target').split('.');
  const service = services[protocol];
  if (service !== undefined) return `${service}:${batches[operation] ?? operation}`;
  const signed = signerOf(request).service;
  switch (signed) {
    case 'sns': {
      const name = new URLSearchParams(request.body).get('Action') ?? '';
      return `sns:${batches[name] ?? name}`;
    }
    case 's3':
      return s3Action(request);
    case 'ses':
      if (request.method === 'POST' && request.url.startsWith('/v2/email/outbound-emails')) return 'ses:SendEmail';
      break;
    default:
  }
  throw new Error(`no action is known for ${request.method} ${request.url} of "${signed}"`);
}

function s3Action({ method, url }: AwsRequest): string {
  const { pathname, searchParams } = new URL(url, 'http://s3');
  const ofObject = /^\/[^/]+\/./.test(pathname);
  if (!ofObject) return method === 'GET' || searchParams.has('list-type') ? 's3:ListBucket' : 's3:CreateBucket';
  switch (method) {
    case 'GET':
    case 'HEAD':
      return 's3:GetObject';
    case 'PUT':
      return 's3:PutObject';
    default:
      return `s3:${method}`;
  }
}
