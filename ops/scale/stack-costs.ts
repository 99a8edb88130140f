import type { Size } from '../pulumi/sizes.ts';
import { hourly, observed, prices } from './assumptions.ts';

/** Dollars a month of a stack that has nothing to do. */
export interface StackCost {
  postgres: number;
  redis: number;
  tasks: number;
  network: number;
  observing: number;
}

const HOURS_PER_MONTH = 730;
const ZONES = 3;
/** As many as ops/pulumi declares, beside what a size decides: `npm run infra:graph` counts them. */
const declared = { interfaceEndpoints: 7, balancers: 2, keys: 2, secrets: 8, alarms: 90 };

const hourOf = (instance: string): number => {
  const price = hourly[instance];
  if (price === undefined) throw new Error(`ops/scale/assumptions.ts has no price for ${instance}`);
  return price;
};
const taskHour = ({ cpu, memory }: { cpu: number; memory: number }): number =>
  (cpu / 1_024) * prices.fargateVcpuHour + (memory / 1_024) * prices.fargateGbHour;

/** At the least number of tasks that a size has. */
export function stackCost({ natGateways, database, cache, worker, gateway }: Size): StackCost {
  const opsConsole = taskHour({ cpu: 256, memory: 512 });
  const spot = worker.spotShare === 0 ? 1 : prices.spotFactor;
  return {
    postgres: database.instances * hourOf(database.instanceClass) * HOURS_PER_MONTH,
    redis: cache.nodes * hourOf(cache.nodeType) * HOURS_PER_MONTH,
    tasks: (worker.min * taskHour(worker) * spot + gateway.min * taskHour(gateway) + opsConsole) * HOURS_PER_MONTH,
    network:
      (natGateways * prices.natGatewayHour +
        declared.interfaceEndpoints * ZONES * prices.endpointHour +
        declared.balancers * prices.balancerHour) *
        HOURS_PER_MONTH +
      declared.keys * prices.keyMonth +
      declared.secrets * prices.secretMonth +
      prices.firewallMonth,
    observing:
      declared.alarms * prices.alarmMonth +
      observed.metrics * prices.metricMonth +
      observed.logsGbMonth * prices.logsGb,
  };
}

export const sumOf = (cost: StackCost): number =>
  cost.postgres + cost.redis + cost.tasks + cost.network + cost.observing;
