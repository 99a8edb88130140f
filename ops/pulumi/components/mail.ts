import * as route53 from '@pulumi/aws/route53/index.js';
import * as sesv2 from '@pulumi/aws/sesv2/index.js';
import type * as pulumi from '@pulumi/pulumi';
import { Component, type Shared } from './component.ts';

const DKIM_RECORDS = 3;

/** The domain that notifications are sent from, signed by DKIM. SES starts in its sandbox: the guide says how to leave it. */
export class Mail extends Component {
  /** ARNs of what sending names: the identity, and the set of rules it is sent by. */
  readonly sender: readonly pulumi.Output<string>[];

  constructor(name: string, { settings }: Shared, options?: pulumi.ComponentResourceOptions) {
    super('Mail', name, options);
    const { stack, mailDomain, hostedZoneId } = settings;
    const configuration = new sesv2.ConfigurationSet(
      name,
      {
        configurationSetName: stack,
        deliveryOptions: { tlsPolicy: 'REQUIRE' },
        reputationOptions: { reputationMetricsEnabled: true },
        suppressionOptions: { suppressedReasons: ['BOUNCE', 'COMPLAINT'] },
      },
      this.own,
    );
    const identity = new sesv2.EmailIdentity(
      name,
      { emailIdentity: mailDomain, configurationSetName: configuration.configurationSetName },
      this.own,
    );
    const token = (index: number) =>
      identity.dkimSigningAttributes.apply((attributes) => attributes.tokens?.[index] ?? '');
    for (let index = 0; index < DKIM_RECORDS; index++)
      new route53.Record(
        `${name}-dkim-${index}`,
        {
          zoneId: hostedZoneId,
          name: token(index).apply((value) => `${value}._domainkey.${mailDomain}`),
          type: 'CNAME',
          ttl: 3_600,
          records: [token(index).apply((value) => `${value}.dkim.amazonses.com`)],
        },
        this.own,
      );
    new route53.Record(
      `${name}-dmarc`,
      {
        zoneId: hostedZoneId,
        name: `_dmarc.${mailDomain}`,
        type: 'TXT',
        ttl: 3_600,
        records: ['v=DMARC1; p=quarantine'],
      },
      this.own,
    );
    this.sender = [identity.arn, configuration.arn];
    this.registerOutputs();
  }
}
