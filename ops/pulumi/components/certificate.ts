import * as acm from '@pulumi/aws/acm/index.js';
import * as route53 from '@pulumi/aws/route53/index.js';
import type * as pulumi from '@pulumi/pulumi';
import { Component, type Shared } from './component.ts';

/** A certificate for one name, proven by a record in the zone. `arn` is known only once it is valid. */
export class Certificate extends Component {
  readonly arn: pulumi.Output<string>;

  constructor(name: string, { settings }: Shared, domain: string, options?: pulumi.ComponentResourceOptions) {
    super('Certificate', name, options);
    const certificate = new acm.Certificate(name, { domainName: domain, validationMethod: 'DNS' }, this.own);
    const proof = certificate.domainValidationOptions.apply((all) => all[0]);
    const field = (key: 'resourceRecordName' | 'resourceRecordType' | 'resourceRecordValue') =>
      proof.apply((options) => options?.[key] ?? '');
    const record = new route53.Record(
      name,
      {
        zoneId: settings.hostedZoneId,
        name: field('resourceRecordName'),
        type: field('resourceRecordType'),
        records: [field('resourceRecordValue')],
        ttl: 300,
        allowOverwrite: true,
      },
      this.own,
    );
    const valid = new acm.CertificateValidation(
      name,
      { certificateArn: certificate.arn, validationRecordFqdns: [record.fqdn] },
      this.own,
    );
    this.arn = valid.certificateArn;
    this.registerOutputs();
  }
}
