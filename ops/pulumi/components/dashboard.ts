import * as cloudwatch from '@pulumi/aws/cloudwatch/index.js';
import * as pulumi from '@pulumi/pulumi';
import { dashboardBody } from '../../../dashboards/cloudwatch/dashboard-body.ts';
import type { PanelDefinition, ResourceReference } from '../../../dashboards/cloudwatch/definition.ts';
import type { Resolve } from './alarms.ts';
import { Component, type Shared } from './component.ts';

export class Dashboard extends Component {
  readonly dashboard: cloudwatch.Dashboard;

  constructor(
    name: string,
    { settings }: Shared,
    panels: readonly PanelDefinition[],
    resolve: Resolve,
    options?: pulumi.ComponentResourceOptions,
  ) {
    super('Dashboard', name, options);
    const wanted = [
      'gatewayLoadBalancer',
      'gatewayBlueTargets',
      'gatewayGreenTargets',
    ] as const satisfies ResourceReference['resource'][];
    const body = pulumi
      .all(wanted.map((resource) => resolve({ resource })))
      .apply((found) =>
        JSON.stringify(
          dashboardBody(panels, settings.region, ({ resource }) => found[wanted.indexOf(resource)] ?? resource),
        ),
      );
    this.dashboard = new cloudwatch.Dashboard(name, { dashboardName: settings.stack, dashboardBody: body }, this.own);
    this.registerOutputs();
  }
}
