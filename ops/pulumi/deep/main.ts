/**
 * `npm run infra:deep`: what the provider of AWS itself thinks of the program, by Terraform's validate and plan over the graph
 * of each stack. Exit code 0: nothing against it, or skipped, which it says loudly. 1: something. 2: wrong usage.
 */
import { parseArgs } from 'node:util';
import { InvalidArgument, readArguments, sayUsage } from '../../arguments.ts';
import { findTool } from '../../images/run-tool.ts';
import { explain } from '../../local/progress.ts';
import { sizes } from '../sizes.ts';
import type { Environment } from '../settings.ts';
import { type GraphFault, graphFaults, seed } from '../verify/faults.ts';
import { exampleConfig } from '../verify/example-config.ts';
import type { Graph } from '../verify/graph.ts';
import { runWithMocks } from '../verify/run-with-mocks.ts';
import { readSchemas, type ResourceSchemas } from './provider-schema.ts';
import { type Terraform, prepareTerraform } from './run-terraform.ts';
import { terraformConfig } from './terraform-config.ts';

const usage = `usage: npm run infra:deep -- [--stack dev|staging|production]… [--plugins FOLDER] [--faults]
  --plugins FOLDER   where the provider lies, as terraform's filesystem mirrors lay it out; else the registry is asked
  --faults           also seeds the mistakes of verify/faults.ts and tells which of them this rung sees
`;

/** Nothing is asked of AWS: a plan without state and without a refresh takes no credentials that work. */
const provider = {
  region: exampleConfig['aws:region'],
  access_key: 'none',
  secret_key: 'none',
  skip_credentials_validation: true,
  skip_requesting_account_id: true,
  skip_metadata_api_check: true,
  skip_region_validation: true,
};

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const skip = (reason: string): number => {
  say(`\nSKIPPED: terraform did NOT look at the program: ${reason}\n`);
  process.stdout.write(`${JSON.stringify({ skipped: reason })}\n`);
  return 0;
};
const isEnvironment = (name: string): name is Environment => Object.hasOwn(sizes, name);

interface Options {
  stacks: readonly Environment[];
  plugins: string | undefined;
  faults: boolean;
}

const parse = () =>
  readArguments((): ({ kind: 'run' } & Options) | { kind: 'help' } => {
    const { values } = parseArgs({
      options: {
        stack: { type: 'string', multiple: true, default: Object.keys(sizes) },
        plugins: { type: 'string' },
        faults: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) return { kind: 'help' };
    const { stack, plugins, faults } = values;
    const other = stack.find((name) => !isEnvironment(name));
    if (other !== undefined)
      throw new InvalidArgument(`--stack takes ${Object.keys(sizes).join(', ')}, not "${other}"`);
    return { kind: 'run', stacks: stack.filter(isEnvironment), plugins, faults };
  });

async function judgeStack(terraform: Terraform, schemas: ResourceSchemas, stack: Environment) {
  const { config, resources, unknown } = terraformConfig(await runWithMocks({ environment: stack }), schemas, provider);
  const complaints = await terraform.complaints(config);
  say(`${stack}: ${resources} resources, ${complaints.length} complaints; ${unknown.length} things unknown to it`);
  for (const complaint of complaints) say(`  ${complaint}`);
  return { stack, resources, complaints, unknown };
}

/** A mistake is seen when terraform complains of more than it does without. */
async function judgeFaults(terraform: Terraform, schemas: ResourceSchemas) {
  const graph = await runWithMocks({ environment: 'production' });
  const complaintsOf = (each: Graph) => terraform.complaints(terraformConfig(each, schemas, provider).config);
  const before = new Set(await complaintsOf(graph));
  const seen: string[] = [];
  const unseen: string[] = [];
  const sees = async (fault: GraphFault): Promise<boolean> =>
    (await complaintsOf(seed(graph, fault))).some((complaint) => !before.has(complaint));
  for (const fault of graphFaults) ((await sees(fault)) ? seen : unseen).push(fault.mistake);
  return { seen, unseen };
}

async function run({ stacks, plugins, faults }: Options): Promise<number> {
  if (findTool('terraform') === undefined) return skip('terraform is not on PATH');
  let prepared: Terraform;
  try {
    prepared = await prepareTerraform(plugins);
  } catch (error) {
    return skip(`the provider of AWS cannot be had: ${explain(error)}`);
  }
  using terraform = prepared;
  const schemas = readSchemas(await terraform.schema());
  const results = [];
  for (const stack of stacks) results.push(await judgeStack(terraform, schemas, stack));
  const mistakes = faults ? await judgeFaults(terraform, schemas) : undefined;
  process.stdout.write(`${JSON.stringify({ results, mistakes }, null, 2)}\n`);
  return results.every(({ complaints }) => complaints.length === 0) ? 0 : 1;
}

const options = parse();
process.exitCode = options.kind === 'run' ? await run(options) : sayUsage(options, usage);
