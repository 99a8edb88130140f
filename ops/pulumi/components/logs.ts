import * as cloudtrail from '@pulumi/aws/cloudtrail/index.js';
import * as cloudwatch from '@pulumi/aws/cloudwatch/index.js';
import * as iam from '@pulumi/aws/iam/index.js';
import * as kinesis from '@pulumi/aws/kinesis/index.js';
import type * as pulumi from '@pulumi/pulumi';
import type { Buckets } from './buckets.ts';
import { Component, type Shared, json } from './component.ts';
import type { Keys } from './keys.ts';
import { type PolicyDocument, assumedBy } from './policy.ts';

const processes = ['worker', 'gateway', 'console', 'migration', 'collector', 'metrics'] as const;
export type LogName = (typeof processes)[number];
/** Those whose lines say who did what; metrics and the collector's own are not kept for years. */
const audited = ['worker', 'gateway', 'console', 'migration'] as const satisfies readonly LogName[];

/** Log groups with an end, and beside them the audit archive: every line of our processes, and every call to AWS. */
export class Logs extends Component {
  readonly groups: Readonly<Record<LogName, cloudwatch.LogGroup>>;

  constructor(
    name: string,
    { settings }: Shared,
    keys: Keys,
    buckets: Buckets,
    options?: pulumi.ComponentResourceOptions,
  ) {
    super('Logs', name, options);
    const { stack, size, accountId, region } = settings;
    const group = (process: LogName) =>
      new cloudwatch.LogGroup(
        `${name}-${process}`,
        { name: `/${stack}/${process}`, retentionInDays: size.logDays, kmsKeyId: keys.data.arn },
        this.own,
      );
    this.groups = {
      worker: group('worker'),
      gateway: group('gateway'),
      console: group('console'),
      migration: group('migration'),
      collector: group('collector'),
      metrics: group('metrics'),
    };

    const writer = new iam.Role(
      `${name}-archive`,
      {
        name: `${stack}-archive`,
        assumeRolePolicy: json<PolicyDocument>(assumedBy('firehose.amazonaws.com', accountId)),
      },
      this.own,
    );
    new iam.RolePolicy(
      `${name}-archive`,
      {
        role: writer.id,
        policy: json<PolicyDocument>({
          Version: '2012-10-17',
          Statement: [
            {
              Sid: 'WriteArchive',
              Effect: 'Allow',
              Action: ['s3:PutObject', 's3:AbortMultipartUpload'],
              Resource: buckets.audit.arn.apply((arn) => `${arn}/logs/*`),
            },
            {
              Sid: 'FindArchive',
              Effect: 'Allow',
              Action: ['s3:GetBucketLocation', 's3:ListBucket', 's3:ListBucketMultipartUploads'],
              Resource: buckets.audit.arn,
            },
            {
              Sid: 'EncryptArchive',
              Effect: 'Allow',
              Action: ['kms:GenerateDataKey', 'kms:Decrypt'],
              Resource: keys.data.arn,
            },
          ],
        }),
      },
      this.own,
    );
    const archive = new kinesis.FirehoseDeliveryStream(
      `${name}-archive`,
      {
        name: `${stack}-archive`,
        destination: 'extended_s3',
        serverSideEncryption: { enabled: true, keyType: 'AWS_OWNED_CMK' },
        extendedS3Configuration: {
          roleArn: writer.arn,
          bucketArn: buckets.audit.arn,
          prefix: 'logs/',
          errorOutputPrefix: 'logs/failed/',
          bufferingInterval: 300,
          bufferingSize: 64,
          kmsKeyArn: keys.data.arn,
          // CloudWatch hands lines over compressed already.
          compressionFormat: 'UNCOMPRESSED',
        },
      },
      this.own,
    );
    const subscriber = new iam.Role(
      `${name}-subscriber`,
      {
        name: `${stack}-log-subscriber`,
        assumeRolePolicy: json<PolicyDocument>(assumedBy(`logs.${region}.amazonaws.com`, accountId)),
      },
      this.own,
    );
    new iam.RolePolicy(
      `${name}-subscriber`,
      {
        role: subscriber.id,
        policy: json<PolicyDocument>({
          Version: '2012-10-17',
          Statement: [
            {
              Sid: 'HandOver',
              Effect: 'Allow',
              Action: ['firehose:PutRecord', 'firehose:PutRecordBatch'],
              Resource: archive.arn,
            },
          ],
        }),
      },
      this.own,
    );
    for (const process of audited)
      new cloudwatch.LogSubscriptionFilter(
        `${name}-${process}`,
        {
          name: `${stack}-${process}`,
          logGroup: this.groups[process].name,
          destinationArn: archive.arn,
          roleArn: subscriber.arn,
          // Everything: what will matter in an audit is not known beforehand.
          filterPattern: '',
        },
        this.own,
      );
    new cloudtrail.Trail(
      name,
      {
        name: stack,
        s3BucketName: buckets.audit.id,
        s3KeyPrefix: 'trail',
        kmsKeyId: keys.data.arn,
        enableLogFileValidation: true,
        isMultiRegionTrail: true,
        includeGlobalServiceEvents: true,
      },
      // The bucket's policy must stand before the trail checks that it may write.
      { ...this.own, dependsOn: [buckets] },
    );
    this.registerOutputs();
  }
}
