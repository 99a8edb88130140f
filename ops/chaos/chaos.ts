/** `npm run chaos`: the whole system under load and faults, and what a checker finds in the history of it. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { prepareDataFolder, startOver } from '../local/data-folder.ts';
import { recordProcesses, stopLeftovers } from '../local/leftovers.ts';
import { explain } from '../local/progress.ts';
import { takeRunLock } from '../local/run-lock.ts';
import { createTeardown } from '../local/teardown.ts';
import { isFaultless } from './check-history.ts';
import { type ChaosOptions, parseChaosOptions, usage } from './options.ts';
import { type ChaosResult, runChaos } from './run-chaos.ts';

const findingsShown = 20;
const startedAt = performance.now();

const say = (line: string): void =>
  void process.stderr.write(`${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6)} s  ${line}\n`);
const print = (text: string): Promise<void> => new Promise((done) => process.stdout.write(`${text}\n`, () => done()));

interface Ending {
  readonly exitCode: number;
  readonly output?: string;
}

async function main(): Promise<Ending> {
  const parsed = parseChaosOptions(process.argv.slice(2));
  if (parsed.kind === 'help') return { exitCode: 0, output: usage.trimEnd() };
  if (parsed.kind === 'run') return await run(parsed.options);
  process.stderr.write(`${parsed.message}\n\n${usage}`);
  return { exitCode: 2 };
}

async function run(options: ChaosOptions): Promise<Ending> {
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => interruption.abort(new Error(`${signal}: stopping`)));
  }
  say(`seed ${options.seed}`);
  const teardown = createTeardown(() => undefined);
  let ending: Ending = { exitCode: 1 };
  try {
    const dataDir = takeFolder(options, teardown);
    await stopLeftovers(dataDir, say);
    startOver(dataDir);
    const record = recordProcesses(dataDir);
    teardown.add(undefined, () => record.clear());
    const { result, findings } = await runChaos(options, {
      ...{ dataDir, record, teardown, say },
      signal: interruption.signal,
    });
    for (const finding of findings.slice(0, findingsShown)) say(finding);
    if (findings.length > findingsShown) say(`… and ${findings.length - findingsShown} more`);
    const output = options.json ? JSON.stringify(result) : summaryOf(result);
    const faultless = isFaultless(result) && (result.partners?.findings.length ?? 0) === 0;
    ending = { exitCode: faultless && !result.stalled ? 0 : 1, output };
  } catch (error) {
    say(explain(error));
    if (interruption.signal.aborted) ending = { exitCode: 130 };
  }
  try {
    await teardown.run();
  } catch (error) {
    say(explain(error));
    ending = { ...ending, exitCode: 1 };
  }
  return ending;
}

/** One that goes with the run, unless it was named. */
function takeFolder({ dataDir: named }: ChaosOptions, teardown: ReturnType<typeof createTeardown>): string {
  const dataDir = named === undefined ? mkdtempSync(join(tmpdir(), 'laneway-chaos-')) : resolve(named);
  // Made 0700, which the user that PostgreSQL runs as could not enter.
  if (named === undefined) chmodSync(dataDir, 0o755);
  prepareDataFolder(dataDir);
  const lock = takeRunLock(dataDir);
  teardown.add(undefined, () => {
    lock.release();
    if (named === undefined) rmSync(dataDir, { recursive: true, force: true });
  });
  return dataDir;
}

const summaryOf = ({ faults, ...figures }: ChaosResult): string =>
  [
    ...Object.entries(figures).map(
      ([name, value]) => `${name.padEnd(18)}${typeof value === 'object' ? JSON.stringify(value) : value}`,
    ),
    ...faults.map(
      ({ kind, target, recoveredMs, behindMs }) =>
        `${`${kind} ${target}`.padEnd(34)}commits again after ${recoveredMs ?? '-'} ms, all who were behind after ${behindMs} ms`,
    ),
  ].join('\n');

// A reader that has gone away must not take the servers down with it.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
const { exitCode, output } = await main();
if (output !== undefined) await print(output);
process.exit(exitCode);
