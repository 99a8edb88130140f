import type { MetricStat, PanelDefinition, ResourceReference } from './definition.ts';

/** CloudWatch's grid is 24 columns wide; three panels a row. */
const COLUMNS = 24;
const WIDTH = 8;
const HEIGHT = 6;

/** The body of a CloudWatch dashboard, of which CloudWatch takes 500 widgets at most. */
export interface DashboardBody {
  widgets: readonly Widget[];
}

export interface Widget {
  type: 'metric';
  x: number;
  y: number;
  width: number;
  height: number;
  properties: {
    title: string;
    region: string;
    view: 'timeSeries';
    stacked: false;
    metrics: readonly unknown[];
    yAxis: { left: { label: string; min: 0 } };
    annotations: { horizontal: readonly { label: string; value: number }[] };
  };
}

/** `resolve` gives the names that are known only once their resource exists. */
export const dashboardBody = (
  panels: readonly PanelDefinition[],
  region: string,
  resolve: (reference: ResourceReference) => string,
): DashboardBody => ({
  widgets: panels.map((panel, index) => ({
    type: 'metric',
    x: (index * WIDTH) % COLUMNS,
    y: Math.floor((index * WIDTH) / COLUMNS) * HEIGHT,
    width: WIDTH,
    height: HEIGHT,
    properties: {
      title: panel.title,
      region,
      view: 'timeSeries',
      stacked: false,
      metrics: panel.queries.map((query) =>
        'metric' in query
          ? metricLine(query.id, query.metric, resolve)
          : [{ id: query.id, expression: query.expression, label: query.label }],
      ),
      yAxis: { left: { label: panel.unit, min: 0 } },
      annotations: { horizontal: panel.marks },
    },
  })),
});

/** `[namespace, name, dimension, value, …, options]`, the form CloudWatch wants. */
const metricLine = (id: string, metric: MetricStat, resolve: (reference: ResourceReference) => string): unknown[] => [
  metric.namespace,
  metric.name,
  ...Object.entries(metric.dimensions).flatMap(([name, value]) => [
    name,
    typeof value === 'string' ? value : resolve(value),
  ]),
  { id, stat: metric.stat, period: metric.periodSeconds },
];
