import * as kms from '@pulumi/aws/kms/index.js';
import type { PolicyStatement } from '@pulumi/aws/iam/documents.js';
import type * as pulumi from '@pulumi/pulumi';
import { Component, type Shared, json } from './component.ts';
import type { PolicyDocument } from './policy.ts';

/**
 * Two keys: one for what is stored, one for what is under way. The second lets SNS and CloudWatch use it: a queue whose key
 * SNS may not use loses what SNS delivers, without an error anywhere.
 */
export class Keys extends Component {
  readonly data: kms.Key;
  readonly messages: kms.Key;

  constructor(name: string, shared: Shared, options?: pulumi.ComponentResourceOptions) {
    super('Keys', name, options);
    const { stack, accountId, region, size } = shared.settings;
    const administration: PolicyStatement = {
      Sid: 'AccountAdministersByIam',
      Effect: 'Allow',
      Principal: { AWS: `arn:${shared.partition}:iam::${accountId}:root` },
      // In a key policy the resource is the key itself; IAM policies of the account then decide who may do what.
      Action: 'kms:*',
      Resource: '*',
    };
    const use = (
      service: string,
      sid: string,
      condition: PolicyStatement['Condition'],
      further: readonly string[] = [],
    ): PolicyStatement => ({
      Sid: sid,
      Effect: 'Allow',
      Principal: { Service: service },
      Action: ['kms:Decrypt', 'kms:GenerateDataKey*', ...further],
      Resource: '*',
      Condition: condition,
    });
    const key = (purpose: string, description: string, statements: PolicyStatement[]) => {
      const made = new kms.Key(
        `${name}-${purpose}`,
        {
          description: `${stack}: ${description}`,
          enableKeyRotation: true,
          deletionWindowInDays: 30,
          policy: json<PolicyDocument>({ Version: '2012-10-17', Statement: [administration, ...statements] }),
        },
        { ...this.own, protect: size.protectsData },
      );
      new kms.Alias(`${name}-${purpose}`, { name: `alias/${stack}/${purpose}`, targetKeyId: made.keyId }, this.own);
      return made;
    };
    const ownLogGroups = `arn:${shared.partition}:logs:${region}:${accountId}:log-group:/${stack}/*`;
    const fromHere = { StringEquals: { 'aws:SourceAccount': accountId } };
    // Both services look at the key before they take it, and refuse to be created on one that they may not.
    this.data = key('data', 'database, tables, buckets, caches, secrets and logs', [
      use(
        `logs.${region}.amazonaws.com`,
        'LogsEncrypt',
        { ArnLike: { 'kms:EncryptionContext:aws:logs:arn': ownLogGroups } },
        ['kms:Encrypt', 'kms:ReEncryptFrom', 'kms:ReEncryptTo', 'kms:DescribeKey'],
      ),
      use('cloudtrail.amazonaws.com', 'TrailEncrypts', fromHere, ['kms:DescribeKey']),
    ]);
    this.messages = key('messages', 'queues and topics', [
      use('sns.amazonaws.com', 'TopicsDeliverToQueues', fromHere),
      use('cloudwatch.amazonaws.com', 'AlarmsPublish', fromHere),
      use('budgets.amazonaws.com', 'BudgetsPublish', fromHere),
    ]);
    this.registerOutputs();
  }
}
