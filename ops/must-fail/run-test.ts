import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type Report, readReport } from './read-report.ts';

export interface RunOptions {
  /** Of the project whose test is run, by the runner that lies there. */
  root: string;
  /** Relative to the root. */
  test: string;
  /** How the test finds servers that run; undefined: the runner starts some where it needs them. */
  servers: Readonly<Record<string, string>> | undefined;
  /** Ends the run, which still cleans up after itself. */
  signal: AbortSignal;
}

/** The runner has a deadline for each file; this one is for a runner that does not keep it. */
const DEADLINE_MS = 900_000;
/** A runner that was told to stop stops its servers, too. */
const STOP_MS = 45_000;
/** More than what the runner keeps of a file's output has lines. */
const ALL_LINES = 1_000_000;

/** Runs a test file as `npm test` does. Rejects with the signal's reason, or when the runner does not end in time. */
export async function runTest({ root, test, servers, signal }: RunOptions): Promise<Report> {
  signal.throwIfAborted();
  const stack = servers === undefined ? [] : ['--stack', join(root, 'ops/must-fail/given-servers.ts')];
  const options = ['--tail', String(ALL_LINES), ...stack];
  // A group of its own: Ctrl-C reaches this process alone, which passes it on once.
  const child = spawn(process.execPath, [join(root, 'ops/test.ts'), ...options, '--files', join(root, test)], {
    cwd: root,
    detached: true,
    env: { ...process.env, ...servers },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = once(child, 'close');
  let killer: NodeJS.Timeout | undefined;
  const stop = () => {
    child.kill('SIGTERM');
    killer ??= setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  };
  let late = false;
  const deadline = setTimeout(() => {
    late = true;
    stop();
  }, DEADLINE_MS);
  signal.addEventListener('abort', stop);
  try {
    await ended;
  } finally {
    clearTimeout(deadline);
    clearTimeout(killer);
    signal.removeEventListener('abort', stop);
  }
  signal.throwIfAborted();
  if (late) throw new Error(`the test did not end within ${DEADLINE_MS / 1_000} s`);
  return readReport(output);
}
