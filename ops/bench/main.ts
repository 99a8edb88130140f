import { join } from 'node:path';
import { explain } from '../local/progress.ts';
import { createTeardown } from '../local/teardown.ts';
import { runBench } from './bench.ts';
import { parseBenchOptions, usage } from './options.ts';
import { writeReport } from './report/write.ts';

const docs = join(import.meta.dirname, '../../docs');

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(args: readonly string[]): Promise<number> {
  const parsed = parseBenchOptions(args);
  if (parsed.kind === 'help') {
    process.stdout.write(usage);
    return 0;
  }
  if (parsed.kind === 'invalid') {
    say(`${parsed.message}\n\n${usage}`);
    return 2;
  }
  const teardown = createTeardown(() => undefined);
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      say(`${signal}: stopping the servers`);
      void teardown.run().finally(() => process.exit(130));
    });
  try {
    const report = await runBench(parsed.options, say, teardown);
    if (parsed.options.write) await writeReport(report, docs);
    process.stdout.write(`${JSON.stringify(report, null, parsed.options.json ? undefined : 2)}\n`);
    return 0;
  } catch (error) {
    say(explain(error));
    return 1;
  }
}

const exitCode = await main(process.argv.slice(2));
// A part that failed may have left connections open, which would keep the process.
process.stdout.write('', () => process.exit(exitCode));
