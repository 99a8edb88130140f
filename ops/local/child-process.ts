import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * starting ─► running ─► stopping ─► exited
 *     └───────────┴──────────────────────┘
 *
 * `startChild` returns once the probe succeeded (running). An exit while starting rejects with the end of the log; an
 * exit while running is unexpected and reported through `onUnexpectedExit`; an exit while stopping is the answer of
 * `stop`. Every child leads a process group of its own: Ctrl-C in a terminal reaches the parent only, which decides the
 * order in which its children stop.
 */
export interface RunningChild {
  readonly name: string;
  readonly pid: number;
  readonly running: boolean;
  readonly exited: Promise<ChildExit>;
  /** Asks with `stopSignal`, kills after `graceMs`. Idempotent; also resolves when the child is already gone. */
  stop(): Promise<ChildExit>;
}

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ChildOptions {
  /** What errors call it. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Added to the parent's environment; `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** Standard output and error are appended here. */
  readonly logFile: string;
  /** Asked every 20 ms until it answers true; throwing means "not yet". */
  readonly ready: () => Promise<boolean> | boolean;
  readonly readyTimeoutMs?: number;
  readonly stopSignal?: NodeJS.Signals;
  readonly graceMs?: number;
  /**
   * Gives the child a pipe as standard input that nothing is written to. It ends when the parent is gone, however it
   * went, and `exitWithParent` in the child listens for that.
   */
  readonly watchParent?: boolean;
  readonly onUnexpectedExit?: (exit: ChildExit) => void;
}

export async function startChild(options: ChildOptions): Promise<RunningChild> {
  const { name, readyTimeoutMs = 20_000, stopSignal = 'SIGTERM', graceMs = 10_000 } = options;
  const child = spawnLogged(options);
  let phase: 'starting' | 'running' | 'stopping' | 'exited' = 'starting';
  let spawnError: Error | undefined;

  const exited = new Promise<ChildExit>((resolve) => {
    const finish = (exit: ChildExit) => {
      const before = phase;
      phase = 'exited';
      resolve(exit);
      if (before === 'running') options.onUnexpectedExit?.(exit);
    };
    child.once('error', (error) => {
      spawnError = error;
      if (child.pid === undefined) finish({ code: null, signal: null });
    });
    child.once('exit', (code, signal) => finish({ code, signal }));
  });
  // A function, because assignments in callbacks are invisible to the compiler's view of `phase`.
  const isGone = () => phase === 'exited';

  const stop = async (): Promise<ChildExit> => {
    if (!isGone()) {
      phase = 'stopping';
      child.kill(stopSignal);
      const killer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await exited;
      clearTimeout(killer);
    }
    return exited;
  };

  const deadline = performance.now() + readyTimeoutMs;
  let lastError: unknown;
  while (!isGone()) {
    try {
      if (await options.ready()) break;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() > deadline) {
      await stop();
      throw new Error(`${name} was not ready after ${readyTimeoutMs} ms${endOfLog(options.logFile)}`, {
        cause: lastError,
      });
    }
    await Promise.race([exited, delay(20)]);
  }
  if (isGone() || child.pid === undefined) {
    if (spawnError !== undefined) throw new Error(`${name} could not be started`, { cause: spawnError });
    throw new Error(`${name} exited while starting (${describeExit(await exited)})${endOfLog(options.logFile)}`);
  }
  phase = 'running';
  return {
    name,
    pid: child.pid,
    get running() {
      return phase === 'running';
    },
    exited,
    stop,
  };
}

export function describeExit({ code, signal }: ChildExit): string {
  return signal === null ? `code ${code ?? 'unknown'}` : `signal ${signal}`;
}

/** Called by a child that was started with `watchParent`: `stop` runs once the parent is gone. */
export function exitWithParent(stop: () => void): void {
  process.stdin.once('end', stop);
  process.stdin.once('error', stop);
  process.stdin.resume();
}

/**
 * Whether a process with that id runs, ours or not. One that ended and was never reaped does not: what outlives its
 * parent falls to process 1, and in a container that is often a program that reaps nobody.
 */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
  return !isZombie(pid);
}

function isZombie(pid: number): boolean {
  if (process.platform !== 'linux') return false;
  try {
    // pid (command) state …; the command may contain anything, spaces and brackets too
    return /^[ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, ''));
  } catch {
    // it ended and was reaped between the two questions
    return true;
  }
}

/** What a process was started with, empty when there is none: an id in a file may long belong to something else. */
export function commandLineOf(pid: number): string {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}

/**
 * Stops a process that is not our child, such as a server whose parent was killed. The caller must have made sure that
 * the id still belongs to what it means to stop.
 */
export async function stopPid(pid: number, signal: NodeJS.Signals = 'SIGTERM', graceMs = 10_000): Promise<void> {
  const deadline = performance.now() + graceMs;
  if (!isAlive(pid)) return;
  process.kill(pid, signal);
  while (isAlive(pid)) {
    if (performance.now() > deadline) {
      process.kill(pid, 'SIGKILL');
      for (let i = 0; i < 100 && isAlive(pid); i++) await delay(20);
      if (isAlive(pid)) throw new Error(`process ${pid} survived SIGKILL`);
      return;
    }
    await delay(20);
  }
}

/** True once an HTTP GET answers with a status below 400. */
export async function answersHttp(url: string): Promise<boolean> {
  const response = await fetch(url, { headers: { connection: 'close' }, signal: AbortSignal.timeout(2_000) });
  await response.body?.cancel();
  return response.ok;
}

function spawnLogged(options: ChildOptions): ChildProcess {
  mkdirSync(dirname(options.logFile), { recursive: true });
  const log = openSync(options.logFile, 'a');
  try {
    return spawn(options.command, [...options.args], {
      detached: true,
      stdio: [options.watchParent ? 'pipe' : 'ignore', log, log],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.gid === undefined ? {} : { gid: options.gid }),
    });
  } finally {
    closeSync(log);
  }
}

function endOfLog(logFile: string): string {
  try {
    const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-15);
    return `\n--- end of ${logFile}\n${lines.join('\n')}`;
  } catch {
    return '';
  }
}
