import * as wafv2 from '@pulumi/aws/wafv2/index.js';
import * as cloudwatch from '@pulumi/aws/cloudwatch/index.js';
import type * as pulumi from '@pulumi/pulumi';
import { Component, type Shared } from './component.ts';

/** Requests of one address in five minutes; the gateway's own limits count by merchant. */
const REQUESTS_PER_ADDRESS = 5_000;
/**
 * AWS's rules for known bad input. `SizeRestrictions_BODY` refuses bodies above 8 KB, which catalogues exceed: it only
 * counts, and the gateway has a limit of its own.
 */
const managed = [
  { name: 'AWSManagedRulesCommonRuleSet', counting: ['SizeRestrictions_BODY'] },
  { name: 'AWSManagedRulesKnownBadInputsRuleSet', counting: [] },
  { name: 'AWSManagedRulesAmazonIpReputationList', counting: [] },
] as const;

/** In front of the gateway. */
export class Firewall extends Component {
  constructor(
    name: string,
    { settings }: Shared,
    balancerArn: pulumi.Output<string>,
    options?: pulumi.ComponentResourceOptions,
  ) {
    super('Firewall', name, options);
    const visibility = (metricName: string) => ({
      metricName,
      cloudwatchMetricsEnabled: true,
      sampledRequestsEnabled: true,
    });
    const list = new wafv2.WebAcl(
      name,
      {
        name: settings.stack,
        scope: 'REGIONAL',
        defaultAction: { allow: {} },
        visibilityConfig: visibility('gateway'),
        rules: [
          {
            name: 'rate-per-address',
            priority: 0,
            action: { block: {} },
            statement: { rateBasedStatement: { limit: REQUESTS_PER_ADDRESS, aggregateKeyType: 'IP' } },
            visibilityConfig: visibility('rate-per-address'),
          },
          ...managed.map((set, index) => ({
            name: set.name,
            priority: index + 1,
            overrideAction: { none: {} },
            statement: {
              managedRuleGroupStatement: {
                name: set.name,
                vendorName: 'AWS',
                ruleActionOverrides: set.counting.map((rule) => ({ name: rule, actionToUse: { count: {} } })),
              },
            },
            visibilityConfig: visibility(set.name),
          })),
        ],
      },
      this.own,
    );
    new wafv2.WebAclAssociation(name, { webAclArn: list.arn, resourceArn: balancerArn }, this.own);
    const log = new cloudwatch.LogGroup(
      name,
      {
        // WAF writes only to groups of this prefix.
        name: `aws-waf-logs-${settings.stack}`,
        retentionInDays: settings.size.logDays,
      },
      this.own,
    );
    new wafv2.WebAclLoggingConfiguration(
      name,
      {
        resourceArn: list.arn,
        logDestinationConfigs: [log.arn],
        redactedFields: [{ singleHeader: { name: 'authorization' } }],
      },
      this.own,
    );
    this.registerOutputs();
  }
}
