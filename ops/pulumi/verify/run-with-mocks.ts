import * as pulumi from '@pulumi/pulumi';
import { MockMonitor } from '@pulumi/pulumi/runtime/mocks.js';
import { type Registry, registry as ours } from '../../../core/events/registry.ts';
import type { Environment } from '../settings.ts';
import { readSettings } from '../settings.ts';
import { declareStack } from '../stack.ts';
import { exampleConfig, exampleSecretKeys } from './example-config.ts';
import type { Graph, Resource } from './graph.ts';
import { mockOutputs } from './mock-outputs.ts';

export interface MockRun {
  environment: Environment;
  registry?: Registry;
  config?: Readonly<Record<string, string>>;
}

interface Registration {
  getType(): string;
  getName(): string;
  getCustom(): boolean;
  getParent(): string;
  getProtect(): boolean;
  getDependenciesList(): string[];
}

/** The mock monitor keeps inputs, not who belongs to whom: noted here as requests come by. */
const seen: Omit<Resource, 'inputs' | 'urn'>[] = [];
const registerResource: unknown = Reflect.get(MockMonitor.prototype, 'registerResource');
MockMonitor.prototype.registerResource = function noting(this: MockMonitor, request: Registration, callback: unknown) {
  seen.push({
    type: request.getType(),
    name: request.getName(),
    custom: request.getCustom(),
    parent: request.getParent() === '' ? undefined : request.getParent(),
    protect: request.getProtect(),
    dependsOn: request.getDependenciesList(),
  });
  if (typeof registerResource !== 'function') throw new Error('this release of the SDK has another mock monitor');
  const result: unknown = Reflect.apply(registerResource, this, [request, callback]);
  return Promise.resolve(result).then(() => undefined);
};

/** Runs the program in this process without an engine and gives what it declared. One at a time. */
export async function runWithMocks(run: MockRun): Promise<Graph> {
  const inputs = new Map<string, Readonly<Record<string, unknown>>>();
  seen.length = 0;
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs: given }: pulumi.runtime.MockResourceArgs) => {
        // Inputs arrive as the engine would see them; `any` is Pulumi's own type for them.
        const own = given as Readonly<Record<string, unknown>>;
        inputs.set(`${type}::${name}`, own);
        return mockOutputs(type, name, own);
      },
      call: ({ token }: pulumi.runtime.MockCallArgs) => {
        throw new Error(`the program asks AWS for ${token}; it should be told by its settings`);
      },
    },
    'laneway',
    run.environment,
    false,
  );
  pulumi.runtime.setAllConfig({ ...exampleConfig, ...run.config }, [...exampleSecretKeys]);
  declareStack(readSettings(), run.registry ?? ours, {});
  await pulumi.runtime.disconnect();
  const prefix = `urn:pulumi:${run.environment}::laneway::`;
  return seen.map((resource) => ({
    ...resource,
    urn: `${prefix}${qualified(resource)}::${resource.name}`,
    inputs: inputs.get(`${resource.type}::${resource.name}`) ?? {},
  }));
}

/** `parentType$type`, as URNs have it. */
const qualified = ({ parent, type }: Pick<Resource, 'parent' | 'type'>): string => {
  const parentType = parent?.split('::')[2];
  return parentType === undefined ? type : `${parentType.split('$').at(-1) ?? ''}$${type}`;
};
