/**
 * `npm run scale [-- --measure] [--simulate]`: prints docs/scale.md; with the options it first measures what an event leaves
 * behind, on a stack of its own, or simulates a million merchants again, and keeps the figures. Exit code 2: wrong usage.
 */
import { parseArgs } from 'node:util';
import { readArguments, sayUsage } from '../arguments.ts';
import { createProgress } from '../local/progress.ts';
import { startTemporaryStack } from '../local/temporary-stack.ts';
import { readFigures, writeFigures } from './figures.ts';
import { type Sizes, measureSizes } from './measure-sizes.ts';
import { scaleDocument } from './scale-document.ts';
import { runSimulations } from './simulations.ts';

const usage = `usage: npm run scale -- [--measure] [--simulate]

  Prints docs/scale.md.

  --measure    first measures what an event leaves behind, on a stack of its own
  --simulate   first simulates a million merchants again
  --help       this text
`;
/** Many events a merchant, so that what is there once per merchant hardly shows in what an event leaves. */
const load = { events: 4_000, merchants: 50, seed: 7 };

async function measure(): Promise<Sizes> {
  const progress = createProgress();
  await using temporary = await startTemporaryStack({ workers: 2, progress });
  return await measureSizes(temporary.stack, load, progress);
}

const parse = () =>
  readArguments((): { kind: 'run'; measure: boolean; simulate: boolean } | { kind: 'help' } => {
    const flag = { type: 'boolean', default: false } as const;
    const { help, ...options } = parseArgs({
      options: { measure: flag, simulate: flag, help: { ...flag, short: 'h' } },
    }).values;
    return help ? { kind: 'help' } : { kind: 'run', ...options };
  });

async function main(): Promise<number> {
  const options = parse();
  if (options.kind !== 'run') return sayUsage(options, usage);
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  if (options.measure) writeFigures({ ...readFigures(), sizes: await measure() });
  if (options.simulate) writeFigures({ ...readFigures(), simulations: await runSimulations(say) });
  process.stdout.write(scaleDocument(readFigures()));
  return 0;
}

process.exitCode = await main();
