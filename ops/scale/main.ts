/**
 * `npm run scale [-- --measure] [--simulate]`: prints docs/scale.md; with the options it first measures what an event leaves
 * behind, on a stack of its own, or simulates a million merchants again, and keeps the figures. Exit code 2: wrong usage.
 */
import { parseArgs } from 'node:util';
import { createProgress, explain } from '../local/progress.ts';
import { startTemporaryStack } from '../local/temporary-stack.ts';
import { readFigures, writeFigures } from './figures.ts';
import { type Sizes, measureSizes } from './measure-sizes.ts';
import { scaleDocument } from './scale-document.ts';
import { runSimulations } from './simulations.ts';

const usage = 'usage: npm run scale -- [--measure] [--simulate]\n';
/** Many events a merchant, so that what is there once per merchant hardly shows in what an event leaves. */
const load = { events: 4_000, merchants: 50, seed: 7 };

async function measure(): Promise<Sizes> {
  const progress = createProgress();
  await using temporary = await startTemporaryStack({ workers: 2, progress });
  return await measureSizes(temporary.stack, load, progress);
}

async function main(): Promise<number> {
  let options: { measure: boolean; simulate: boolean };
  try {
    const flag = { type: 'boolean', default: false } as const;
    options = parseArgs({ options: { measure: flag, simulate: flag } }).values;
  } catch (error) {
    process.stderr.write(`${explain(error)}\n${usage}`);
    return 2;
  }
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  if (options.measure) writeFigures({ ...readFigures(), sizes: await measure() });
  if (options.simulate) writeFigures({ ...readFigures(), simulations: await runSimulations(say) });
  process.stdout.write(scaleDocument(readFigures()));
  return 0;
}

process.exitCode = await main();
