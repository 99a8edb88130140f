// test-deadline: 240s
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { grants } from '../../permissions.ts';
import { actionOf, signerOf } from './action-of.ts';
import { recordStack } from './record-stack.ts';

const signed = (service: string) => ({
  authorization: `AWS4-HMAC-SHA256 Credential=worker/20261124/eu-central-1/${service}/aws4_request, SignedHeaders=host`,
});

test('a request to AWS tells who signed it and which action it needs', () => {
  const of = (service: string, method: string, url: string, body = '', target?: string) =>
    actionOf({ method, url, body, headers: { ...signed(service), 'x-amz-target': target } });
  assert.is(of('sqs', 'POST', '/', '', 'AmazonSQS.DeleteMessageBatch'), 'sqs:DeleteMessage');
  assert.is(of('dynamodb', 'POST', '/', '', 'DynamoDB_20120810.BatchGetItem'), 'dynamodb:BatchGetItem');
  assert.is(of('sns', 'POST', '/', 'Action=PublishBatch&TopicArn=x'), 'sns:Publish');
  assert.is(of('s3', 'GET', '/bucket/a/b?x-id=GetObject'), 's3:GetObject');
  assert.is(of('s3', 'GET', '/bucket/?list-type=2'), 's3:ListBucket');
  assert.is(of('ses', 'POST', '/v2/email/outbound-emails'), 'ses:SendEmail');
  assert.throws(() => of('kms', 'POST', '/'), /no action is known/);
  assert.equal(signerOf({ method: 'GET', url: '/', body: '', headers: signed('s3') }), {
    accessKeyId: 'worker',
    service: 's3',
  });
});

// Half a minute: `npm run infra:test` names its stacks, and records.
if (process.env['LANEWAY_INFRA_STACKS'] !== undefined)
  test('roles grant every action that the processes ask for, and what else they grant says why', async () => {
    const recorded = await recordStack({ events: 300, merchants: 20, seed: 7 });
    for (const role of ['worker', 'gateway', 'console'] as const) {
      const asked = [...(recorded.get(role) ?? [])];
      const granted = new Set(grants[role].flatMap(({ actions }) => actions));
      assert.equal(
        asked.filter((action) => !granted.has(action)),
        [],
        `${role} asks for what it is not granted`,
      );
      const unasked = grants[role]
        .filter(({ recorded: expected }) => expected !== false)
        .flatMap(({ sid, actions }) => actions.map((action) => ({ sid, action })))
        .filter(({ action }) => !asked.includes(action));
      assert.equal(unasked, [], `${role} is granted what it did not ask for, and does not say why`);
    }
    assert.ok((recorded.get('worker')?.size ?? 0) > 5, 'the worker was hardly seen');
  });

test.run();
