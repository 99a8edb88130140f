import type * as iam from '@pulumi/aws/iam/documents.js';

/** As the provider types it: a misspelt key is a compile error. */
export type PolicyDocument = iam.PolicyDocument;

/**
 * Who may assume a role that a service of AWS uses on our behalf, and for whom: no other account may make it do so.
 * Without an account for services that are documented without one: a condition on what they do not send would refuse them,
 * and a role is handed to them only by `iam:PassRole`, which ends at the account's border.
 */
export const assumedBy = (service: string, accountId?: string): PolicyDocument => ({
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Principal: { Service: service },
      Action: 'sts:AssumeRole',
      ...(accountId === undefined ? {} : { Condition: { StringEquals: { 'aws:SourceAccount': accountId } } }),
    },
  ],
});

/** Refuses what comes without TLS, whoever sends it. */
export const tlsOnly = (actions: string, resources: iam.PolicyStatement['Resource']): iam.PolicyStatement => ({
  Sid: 'OnlyOverTls',
  Effect: 'Deny',
  Principal: '*',
  Action: actions,
  ...(resources === undefined ? {} : { Resource: resources }),
  Condition: { Bool: { 'aws:SecureTransport': 'false' } },
});
