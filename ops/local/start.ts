/**
 * `npm start`: the whole system on this machine.
 *
 * preparing ─► running ─► stopping ─► ended
 *     └──────────────────────┘
 *
 * running lasts until Ctrl-C or SIGTERM, or with `--once` until the load is checked. Whatever leads to stopping, also a
 * failure or a signal while preparing, everything that was started is stopped, the newest first. A second Ctrl-C kills.
 */
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { dataPaths, prepareDataFolder, projectRoot, startOver } from './data-folder.ts';
import { startDemo } from './demo.ts';
import { type ProcessRecord, recordProcesses, stopLeftovers } from './leftovers.ts';
import { type OnceResult, isFaultless } from './once-result.ts';
import { runOnce } from './once.ts';
import { type StartOptions, parseOptions, usage } from './options.ts';
import { createProgress, explain } from './progress.ts';
import { isLocked, takeRunLock } from './run-lock.ts';
import { type RunningStack, startStack } from './stack.ts';
import { type Teardown, createTeardown } from './teardown.ts';
import { welcome } from './welcome.ts';

/** npm passes the terminal's Ctrl-C on to a process that has already got it: two this close together are one. */
const oneCtrlCMs = 1_000;
const usualDataDir = join(projectRoot, '.laneway');

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const print = (text: string): Promise<void> => new Promise((done) => process.stdout.write(`${text}\n`, () => done()));

class Interrupted extends Error {}

interface Ending {
  readonly exitCode: number;
  /** Printed when all is stopped, so that it is the last line whatever stopping has to say. */
  readonly result?: string;
}

async function main(): Promise<Ending> {
  const parsed = parseOptions(process.argv.slice(2));
  if (parsed.kind === 'start') return await run(parsed.options);
  if (parsed.kind === 'help') {
    await print(usage.trimEnd());
    return { exitCode: 0 };
  }
  say(`${parsed.message}\n\n${usage.trimEnd()}`);
  return { exitCode: 2 };
}

async function run(options: StartOptions): Promise<Ending> {
  const teardown = createTeardown(say);
  const interruption = new AbortController();
  let record: ProcessRecord | undefined;
  onInterrupt(interruption, () => record?.killAll());
  let ending: Ending = { exitCode: 1 };
  try {
    const dataDir = takeDataFolder(options, teardown);
    record = recordProcesses(dataDir);
    const stack = await prepare(dataDir, record, options, teardown, interruption.signal);
    ending = options.once
      ? await checkOnce(stack, options, interruption.signal)
      : await keepRunning(stack, options, teardown, interruption.signal);
  } catch (error) {
    if (interruption.signal.aborted) ending = { exitCode: options.once ? 130 : 0 };
    else say(`\n${explain(error)}\n`);
  }
  try {
    await teardown.run();
  } catch (error) {
    say(explain(error));
    ending = { ...ending, exitCode: 1 };
  }
  return ending;
}

/** The folder to keep data in, locked against other runs. `--once` gets one of its own, which goes with it. */
function takeDataFolder(options: StartOptions, teardown: Teardown): string {
  const temporary = isTemporary(options);
  const dataDir = temporary ? mkdtempSync(join(tmpdir(), 'laneway-once-')) : resolve(options.dataDir ?? usualDataDir);
  // Made 0700, which the user that PostgreSQL runs as could not enter.
  if (temporary) chmodSync(dataDir, 0o755);
  prepareDataFolder(dataDir);
  const lock = takeRunLock(dataDir);
  teardown.add(undefined, () => {
    lock.release();
    if (temporary) rmSync(dataDir, { recursive: true, force: true });
  });
  return dataDir;
}

const isTemporary = ({ once, dataDir }: StartOptions): boolean => once && dataDir === undefined;

async function prepare(
  dataDir: string,
  record: ProcessRecord,
  options: StartOptions,
  teardown: Teardown,
  signal: AbortSignal,
): Promise<RunningStack> {
  const progress = createProgress();
  await stopLeftovers(dataDir, progress.note);
  teardown.add(undefined, () => record.clear());
  const { stack } = dataPaths(dataDir);
  // Of a run that was killed: whoever reads it would call addresses where nobody answers.
  rmSync(stack, { force: true });
  if (options.fresh) startOver(dataDir);
  progress.note(`data in ${relative(process.cwd(), dataDir) || dataDir}`);
  const { stack: usualStack } = dataPaths(usualDataDir);
  // So that a passing run can be found in the usual place as well, unless one lives there.
  const isFound = isTemporary(options) && existsSync(usualDataDir) && !isLocked(usualDataDir);
  return await startStack({
    dataDir,
    stackFiles: isFound ? [stack, usualStack] : [stack],
    workers: options.workers,
    gatewayPort: options.gatewayPort,
    opsPort: options.opsPort,
    // A check must not take the ports that the next `npm start` would like to have.
    usualPorts: !options.once,
    record,
    progress,
    teardown,
    log: (line) => say(`${new Date().toISOString()} ${line}`),
    signal,
  });
}

async function checkOnce(stack: RunningStack, options: StartOptions, signal: AbortSignal): Promise<Ending> {
  const result = await runOnce(stack, options, createProgress(), signal);
  return { exitCode: isFaultless(result) ? 0 : 1, result: options.json ? JSON.stringify(result) : summaryOf(result) };
}

const summaryOf = (result: OnceResult): string =>
  Object.entries(result)
    .map(([name, value]) => `${name.padEnd(16)}${typeof value === 'object' ? JSON.stringify(value) : value}`)
    .join('\n');

async function keepRunning(
  stack: RunningStack,
  options: StartOptions,
  teardown: Teardown,
  signal: AbortSignal,
): Promise<Ending> {
  if (options.demo) {
    const demo = startDemo(stack, say);
    teardown.add('the demo load', () => demo.stop());
  }
  await print(options.json ? JSON.stringify(stack.describe()) : welcome(stack.describe(), options));
  await new Promise<void>((resolveWhenAborted) => {
    // A pending promise keeps nothing alive.
    const alive = setInterval(() => undefined, 60_000);
    const end = () => {
      clearInterval(alive);
      resolveWhenAborted();
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
  return { exitCode: 0 };
}

function onInterrupt(interruption: AbortController, kill: () => void): void {
  let firstAt: number | undefined;
  const interrupt = (signal: string) => {
    if (firstAt === undefined) {
      firstAt = performance.now();
      say(`\n${signal}: stopping (Ctrl-C again to kill)`);
      interruption.abort(new Interrupted(signal));
    } else if (performance.now() - firstAt > oneCtrlCMs) {
      say('killing what is left');
      kill();
      process.exit(1);
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupt(signal));
  whenNpmIsGone(() => interrupt('npm is gone'));
}

/**
 * A signal for npm reaches the shell that npm put in between, which dies of it without a word to us. Started by npm, we
 * stop with it; started by hand, we may well outlive the shell.
 */
function whenNpmIsGone(stop: () => void): void {
  if (process.env['npm_lifecycle_event'] === undefined) return;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    stop();
  }, 500);
  watch.unref();
}

// A reader that has gone away (`npm start | head`) must not take the servers down with it.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
const { exitCode, result } = await main();
if (result !== undefined) await print(result);
process.exit(exitCode);
