/**
 * `npm run infra:graph [-- --stack STACK] [--drawing]`: what the program declares, as a JSON array of
 * `{ type, name, dependsOn, inputs }` on standard output; or the drawing that docs/infrastructure.md keeps.
 */
import { parseArgs } from 'node:util';
import { InvalidArgument, readArguments, sayUsage } from '../arguments.ts';
import { sizes } from './sizes.ts';
import type { Environment } from './settings.ts';
import { drawing } from './verify/drawing.ts';
import { type Resource, isSecret } from './verify/graph.ts';
import { runWithMocks } from './verify/run-with-mocks.ts';

const usage = 'usage: npm run infra:graph -- [--stack dev|staging|production] [--drawing]\n';

const isEnvironment = (name: string): name is Environment => Object.hasOwn(sizes, name);

/** `type::name`: a URN without the stack, which every line would repeat. */
const short = (urn: string): string => {
  const [, , type = '', name = ''] = urn.split('::');
  return `${type.split('$').at(-1) ?? ''}::${name}`;
};

/** Secrets stay out of what is printed. */
const shown = (value: unknown): unknown => {
  if (isSecret(value)) return '[secret]';
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shown(inner)]));
};

const printed = ({ type, name, dependsOn, inputs }: Resource) => ({
  type,
  name,
  dependsOn: dependsOn.map(short),
  inputs: shown(inputs),
});

const parse = () =>
  readArguments((): { kind: 'run'; stack: Environment; drawing: boolean } | { kind: 'help' } => {
    const { values } = parseArgs({
      options: {
        stack: { type: 'string', default: 'production' },
        drawing: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) return { kind: 'help' };
    const { stack, drawing } = values;
    if (!isEnvironment(stack))
      throw new InvalidArgument(`--stack takes ${Object.keys(sizes).join(', ')}, not "${stack}"`);
    return { kind: 'run', stack, drawing };
  });

const options = parse();
if (options.kind !== 'run') {
  process.exitCode = sayUsage(options, usage);
} else {
  const graph = await runWithMocks({ environment: options.stack });
  process.stdout.write(options.drawing ? drawing(graph) : `${JSON.stringify(graph.map(printed), null, 2)}\n`);
}
