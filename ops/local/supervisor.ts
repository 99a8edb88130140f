import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describeExit } from './child-process.ts';

/**
 * starting ─► running ─► waiting ─► starting …
 *     └───────────┴─────────┴────► stopping ─► stopped
 *
 * starting: spawned, has not said `ready` yet. running: has. A death in either leads to waiting, whose length doubles with
 * every death after a short life; the first start alone is not repeated but rejects, since what fails there is the
 * installation and not the moment. `stop` ends any of them.
 *
 * A child leads a process group of its own, so that Ctrl-C in a terminal reaches the parent only, and holds an IPC channel
 * whose end tells it that the parent is gone.
 */
export interface Supervised {
  readonly name: string;
  /** Of the current process; undefined while there is none. */
  readonly pid: number | undefined;
  /** What the process said it listens on. */
  readonly url: string;
  /** SIGTERM, and SIGKILL after `graceMs`. */
  stop(): Promise<void>;
  kill(): void;
}

export interface SuperviseOptions {
  readonly name: string;
  /** A TypeScript or JavaScript file for this Node. */
  readonly script: string;
  readonly args?: readonly string[];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Standard output and error are appended here. */
  readonly logFile: string;
  readonly log: (line: string) => void;
  readonly onSpawn?: (pid: number) => void;
  readonly onExit?: (pid: number) => void;
  readonly readyTimeoutMs?: number;
  readonly graceMs?: number;
  readonly backoff?: BackoffPolicy;
}

export interface BackoffPolicy {
  readonly baseMs: number;
  readonly capMs: number;
  /** A life that lasted this long makes the next death a first one. */
  readonly settledAfterMs: number;
}

const usualBackoff: BackoffPolicy = { baseMs: 200, capMs: 10_000, settledAfterMs: 30_000 };

/** @param deaths short lives in a row, this one included */
export const restartDelayMs = (deaths: number, { baseMs, capMs }: BackoffPolicy = usualBackoff): number =>
  Math.min(capMs, baseMs * 2 ** Math.min(30, Math.max(0, deaths - 1)));

interface Life {
  readonly child: ChildProcess;
  /** The address it listens on, or undefined when it exited before it was ready. */
  readonly ready: Promise<string | undefined>;
  readonly exited: Promise<string>;
}

export async function supervise(options: SuperviseOptions): Promise<Supervised> {
  const { name, log, graceMs = 10_000, backoff = usualBackoff } = options;
  const stopping = new AbortController();
  let life: Life | undefined;
  let url = '';

  const begin = (): Life => {
    const started = spawnLife(options);
    const { pid } = started.child;
    // Told only once `pid` answers accordingly: whoever listens writes down what it says.
    life = started;
    if (pid !== undefined) options.onSpawn?.(pid);
    void started.exited.then(() => {
      if (life === started) life = undefined;
      if (pid !== undefined) options.onExit?.(pid);
    });
    return started;
  };

  const keepAlive = async (first: Life): Promise<void> => {
    let current = first;
    let bornAt = performance.now();
    for (let deaths = 0; ;) {
      const how = await current.exited;
      if (stopping.signal.aborted) return;
      deaths = performance.now() - bornAt >= backoff.settledAfterMs ? 1 : deaths + 1;
      const waitMs = restartDelayMs(deaths, backoff);
      log(`${name} ended (${how}), starting it again in ${waitMs} ms; its log is ${options.logFile}`);
      await delay(waitMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      current = begin();
      bornAt = performance.now();
      const pid = current.child.pid;
      void current.ready.then((address) => {
        if (address === undefined) return;
        url = address;
        log(`${name} is back (${pid})`);
      });
    }
  };

  const logStart = sizeOf(options.logFile);
  const first = begin();
  const address = await first.ready;
  if (address === undefined) {
    first.child.kill('SIGKILL');
    const how = await first.exited;
    throw new Error(`${name} did not start (${how})${tailOf(options.logFile, logStart)}`);
  }
  url = address;
  const done = keepAlive(first);

  return {
    name,
    get pid() {
      return life?.child.pid;
    },
    get url() {
      return url;
    },
    async stop() {
      stopping.abort();
      const last = life;
      if (last !== undefined) {
        last.child.kill('SIGTERM');
        const killer = setTimeout(() => last.child.kill('SIGKILL'), graceMs);
        await last.exited;
        clearTimeout(killer);
      }
      await done;
    },
    kill() {
      stopping.abort();
      life?.child.kill('SIGKILL');
    },
  };
}

function spawnLife(options: SuperviseOptions): Life {
  mkdirSync(dirname(options.logFile), { recursive: true });
  const logFd = openSync(options.logFile, 'a');
  const child = spawn(process.execPath, [options.script, ...(options.args ?? [])], {
    detached: true,
    stdio: ['ignore', logFd, logFd, 'ipc'],
    env: options.env,
  });
  closeSync(logFd);
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve(error.message);
    });
    child.once('exit', (code, signal) => {
      resolve(describeExit({ code, signal }));
    });
  });
  const ready = new Promise<string | undefined>((resolve) => {
    const late = setTimeout(() => child.kill('SIGKILL'), options.readyTimeoutMs ?? 60_000);
    const settle = (address: string | undefined) => {
      clearTimeout(late);
      resolve(address);
    };
    child.on('message', (message: unknown) => {
      const address = readyUrl(message);
      if (address !== undefined) settle(address);
    });
    void exited.then(() => settle(undefined));
  });
  return { child, ready, exited };
}

/** `{ type: 'ready', url }`, which every process of ours sends once it listens. */
function readyUrl(message: unknown): string | undefined {
  if (typeof message !== 'object' || message === null || !('type' in message) || message.type !== 'ready')
    return undefined;
  return 'url' in message && typeof message.url === 'string' ? message.url : '';
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function tailOf(file: string, from: number): string {
  const lines = readFileSync(file).subarray(from).toString('utf8').trimEnd().split('\n').slice(-20);
  return `\n--- end of ${file}\n${lines.join('\n')}`;
}
