import * as s3 from '@pulumi/aws/s3/index.js';
import type { PolicyStatement } from '@pulumi/aws/iam/documents.js';
import type * as pulumi from '@pulumi/pulumi';
import type { Names } from '../names.ts';
import { Component, type Shared, json } from './component.ts';
import type { Keys } from './keys.ts';
import { type PolicyDocument, tlsOnly } from './policy.ts';

/** Months in Glacier cost a tenth; nobody reads an audit record that often after a quarter. */
const GLACIER_AFTER_DAYS = 90;
/** Longer than dead letters are kept in their queues, so that none refers to a body that is gone. */
const DEAD_LETTER_DAYS = 60;

/** Read back once when it is written and hardly ever after; from here it can still be read at once. */
const ARCHIVE_COLD_AFTER_DAYS = 30;

/**
 * Four buckets: bodies too large for a dead letter, months of data past their retention, the audit archive that nobody can
 * change, and the load balancers' access logs, which only S3's own key may encrypt.
 */
export class Buckets extends Component {
  readonly deadLetters: s3.Bucket;
  readonly archive: s3.Bucket;
  readonly audit: s3.Bucket;
  readonly accessLogs: s3.Bucket;

  constructor(name: string, shared: Shared, names: Names, keys: Keys, options?: pulumi.ComponentResourceOptions) {
    super('Buckets', name, options);
    const { settings, partition } = shared;
    const { accountId, size } = settings;
    this.deadLetters = this.bucket(name, 'dead-letters', names.deadLetterBucket, keys, size.protectsData);
    this.archive = this.bucket(name, 'archive', names.archiveBucket, keys, size.protectsData);
    this.audit = this.bucket(name, 'audit', names.auditBucket, keys, size.protectsData, true);
    this.accessLogs = this.bucket(name, 'access-logs', names.accessLogsBucket, undefined, false);

    this.keep(name, 'dead-letters', this.deadLetters, [
      {
        id: 'expire',
        status: 'Enabled',
        filter: {},
        expiration: { days: DEAD_LETTER_DAYS },
        noncurrentVersionExpiration: { noncurrentDays: 7 },
      },
    ]);
    this.keep(name, 'archive', this.archive, [
      {
        id: 'archive',
        status: 'Enabled',
        filter: {},
        transitions: [{ days: ARCHIVE_COLD_AFTER_DAYS, storageClass: 'GLACIER_IR' }],
        expiration: { days: size.auditYears * 365 + 1 },
        noncurrentVersionExpiration: { noncurrentDays: 30 },
      },
    ]);
    this.keep(name, 'audit', this.audit, [
      {
        id: 'archive',
        status: 'Enabled',
        filter: {},
        transitions: [{ days: GLACIER_AFTER_DAYS, storageClass: 'GLACIER' }],
        expiration: { days: size.auditYears * 365 + 1 },
      },
    ]);
    this.keep(name, 'access-logs', this.accessLogs, [
      { id: 'expire', status: 'Enabled', filter: {}, expiration: { days: 90 } },
    ]);
    new s3.BucketObjectLockConfiguration(
      `${name}-audit`,
      {
        bucket: this.audit.id,
        rule: { defaultRetention: { mode: size.auditLock, years: size.auditYears } },
      },
      this.own,
    );
    this.allow(name, 'dead-letters', this.deadLetters, []);
    this.allow(name, 'archive', this.archive, []);
    this.allow(name, 'audit', this.audit, [
      {
        Sid: 'TrailChecks',
        Effect: 'Allow',
        Principal: { Service: 'cloudtrail.amazonaws.com' },
        Action: 's3:GetBucketAcl',
        Resource: this.audit.arn,
        Condition: { StringEquals: { 'aws:SourceAccount': accountId } },
      },
      {
        Sid: 'TrailWrites',
        Effect: 'Allow',
        Principal: { Service: 'cloudtrail.amazonaws.com' },
        Action: 's3:PutObject',
        Resource: [this.audit.arn.apply((arn) => `${arn}/trail/AWSLogs/${accountId}/*`)],
        Condition: {
          StringEquals: { 'aws:SourceAccount': accountId, 's3:x-amz-acl': 'bucket-owner-full-control' },
        },
      },
    ]);
    this.allow(name, 'access-logs', this.accessLogs, [
      {
        Sid: 'BalancersWrite',
        Effect: 'Allow',
        Principal: { Service: 'logdelivery.elasticloadbalancing.amazonaws.com' },
        Action: 's3:PutObject',
        Resource: [this.accessLogs.arn.apply((arn) => `${arn}/*/AWSLogs/${accountId}/*`)],
        Condition: {
          ArnLike: { 'aws:SourceArn': `arn:${partition}:elasticloadbalancing:*:${accountId}:loadbalancer/*` },
        },
      },
    ]);
    this.registerOutputs();
  }

  private bucket(
    name: string,
    purpose: string,
    bucket: string,
    keys: Keys | undefined,
    protect: boolean,
    locked = false,
  ): s3.Bucket {
    const made = new s3.Bucket(`${name}-${purpose}`, { bucket, objectLockEnabled: locked }, { ...this.own, protect });
    const id = made.id;
    new s3.BucketVersioning(
      `${name}-${purpose}`,
      { bucket: id, versioningConfiguration: { status: 'Enabled' } },
      this.own,
    );
    new s3.BucketServerSideEncryptionConfiguration(
      `${name}-${purpose}`,
      {
        bucket: id,
        rules: [
          keys === undefined
            ? { applyServerSideEncryptionByDefault: { sseAlgorithm: 'AES256' } }
            : {
                applyServerSideEncryptionByDefault: { sseAlgorithm: 'aws:kms', kmsMasterKeyId: keys.data.arn },
                bucketKeyEnabled: true,
              },
        ],
      },
      this.own,
    );
    new s3.BucketPublicAccessBlock(
      `${name}-${purpose}`,
      {
        bucket: id,
        blockPublicAcls: true,
        blockPublicPolicy: true,
        ignorePublicAcls: true,
        restrictPublicBuckets: true,
      },
      this.own,
    );
    return made;
  }

  private keep(
    name: string,
    purpose: string,
    bucket: s3.Bucket,
    rules: s3.BucketLifecycleConfigurationArgs['rules'],
  ): void {
    if (rules === undefined) return;
    new s3.BucketLifecycleConfiguration(`${name}-${purpose}`, { bucket: bucket.id, rules }, this.own);
  }

  private allow(name: string, purpose: string, bucket: s3.Bucket, statements: PolicyStatement[]): void {
    const all = [bucket.arn, bucket.arn.apply((arn) => `${arn}/*`)];
    new s3.BucketPolicy(
      `${name}-${purpose}`,
      {
        bucket: bucket.id,
        policy: json<PolicyDocument>({ Version: '2012-10-17', Statement: [tlsOnly('s3:*', all), ...statements] }),
      },
      this.own,
    );
  }
}
