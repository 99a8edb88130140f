import * as sns from '@pulumi/aws/sns/index.js';
import * as pulumi from '@pulumi/pulumi';
import { type Recipient, recipients } from '../../../dashboards/cloudwatch/definition.ts';
import { Component, type Shared, json } from './component.ts';
import type { Keys } from './keys.ts';
import { type PolicyDocument, tlsOnly } from './policy.ts';

/** A standard topic for each recipient (FIFO topics reach only queues), and who listens: mail, PagerDuty, Opsgenie. */
export class AlarmRoutes extends Component {
  readonly topics: Readonly<Record<Recipient, sns.Topic>>;

  constructor(name: string, { settings }: Shared, keys: Keys, options?: pulumi.ComponentResourceOptions) {
    super('AlarmRoutes', name, options);
    const { stack, accountId, operationsEmail, developmentEmail, optionalSecrets } = settings;
    const topic = (recipient: Recipient): sns.Topic => {
      const made = new sns.Topic(
        `${name}-${recipient}`,
        { name: `${stack}-alarms-${recipient}`, kmsMasterKeyId: keys.messages.arn },
        this.own,
      );
      const publishers = ['cloudwatch.amazonaws.com', 'budgets.amazonaws.com'].map((service) => ({
        Sid: service.startsWith('budgets') ? 'BudgetsPublish' : 'AlarmsPublish',
        Effect: 'Allow' as const,
        Principal: { Service: service },
        Action: 'sns:Publish',
        Resource: made.arn,
        Condition: { StringEquals: { 'aws:SourceAccount': accountId } },
      }));
      new sns.TopicPolicy(
        `${name}-${recipient}`,
        {
          arn: made.arn,
          policy: json<PolicyDocument>({
            Version: '2012-10-17',
            Statement: [...publishers, tlsOnly('sns:Publish', made.arn)],
          }),
        },
        this.own,
      );
      return made;
    };
    this.topics = { 'on-call': topic('on-call'), operations: topic('operations'), development: topic('development') };
    const mailTo: Readonly<Record<Recipient, string>> = {
      'on-call': operationsEmail,
      operations: operationsEmail,
      development: developmentEmail,
    };
    for (const recipient of recipients)
      new sns.TopicSubscription(
        `${name}-${recipient}-mail`,
        { topic: this.topics[recipient].arn, protocol: 'email', endpoint: mailTo[recipient] },
        this.own,
      );
    for (const [who, endpoint] of [
      ['pagerduty', optionalSecrets.pagerDutyEndpoint],
      ['opsgenie', optionalSecrets.opsgenieEndpoint],
    ] as const)
      if (endpoint !== undefined)
        new sns.TopicSubscription(
          `${name}-${who}`,
          {
            topic: this.topics['on-call'].arn,
            protocol: 'https',
            // Whoever knows the address can raise an incident.
            endpoint: pulumi.secret(endpoint),
            endpointAutoConfirms: true,
          },
          this.own,
        );
    this.registerOutputs();
  }
}
