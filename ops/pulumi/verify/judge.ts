import { type Registry, registry as ours } from '../../../core/events/registry.ts';
import { topologyOf } from '../../../core/events/topology.ts';
import { namesOf } from '../names.ts';
import type { Environment } from '../settings.ts';
import { sizes } from '../sizes.ts';
import { checks } from './checks/all.ts';
import type { Context } from './checks/check.ts';
import { exampleAccount } from './example-config.ts';
import type { Graph } from './graph.ts';

export interface Complaint {
  check: string;
  what: string;
}

export function contextOf(environment: Environment, registry: Registry = ours): Context {
  const stack = `laneway-${environment}`;
  const size = sizes[environment];
  const names = namesOf({ stack, size, accountId: exampleAccount });
  return { stack, size, topology: topologyOf(registry, stack), names };
}

/** Everything that is wrong with a graph, by check. */
export async function judge(graph: Graph, context: Context): Promise<Complaint[]> {
  const found = await Promise.all(
    checks.map(async (check) =>
      (await check.complaints(graph, context)).map((what): Complaint => ({ check: check.name, what })),
    ),
  );
  return found.flat();
}
