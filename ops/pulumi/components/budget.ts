import * as budgets from '@pulumi/aws/budgets/index.js';
import type * as pulumi from '@pulumi/pulumi';
import type { AlarmRoutes } from './alarm-routes.ts';
import { Component, type Shared } from './component.ts';

const WARN_AT_PERCENT = 80;

/** Tells when most of the month's money is spent, or will be. It stops nothing. */
export class Budget extends Component {
  constructor(name: string, { settings }: Shared, routes: AlarmRoutes, options?: pulumi.ComponentResourceOptions) {
    super('Budget', name, options);
    const notification = (notificationType: 'ACTUAL' | 'FORECASTED') => ({
      notificationType,
      comparisonOperator: 'GREATER_THAN',
      threshold: WARN_AT_PERCENT,
      thresholdType: 'PERCENTAGE',
      subscriberSnsTopicArns: [routes.topics.operations.arn],
    });
    new budgets.Budget(
      name,
      {
        name: settings.stack,
        budgetType: 'COST',
        timeUnit: 'MONTHLY',
        limitAmount: String(settings.monthlyBudgetUsd),
        limitUnit: 'USD',
        costFilters: [{ name: 'TagKeyValue', values: [`user:laneway:stack$${settings.stack}`] }],
        notifications: [notification('ACTUAL'), notification('FORECASTED')],
      },
      this.own,
    );
    this.registerOutputs();
  }
}
