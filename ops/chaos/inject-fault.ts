import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connectRedis } from '../../core/clients/redis.ts';
import { withDeadline } from '../../core/runtime/deadline.ts';
import { isAlive } from '../local/child-process.ts';
import { dataPaths } from '../local/data-folder.ts';
import type { RunningStack } from '../local/stack.ts';
import type { ProxyMode } from '../../core/testing/proxy.ts';
import type { Proxies } from './put-proxies-between.ts';
import { type Fault, type NetworkTarget, networkTargets } from './schedule-faults.ts';

/** What faults are done to. */
export interface Disturbed {
  readonly stack: RunningStack;
  readonly dataDir: string;
  readonly proxies: Proxies;
  /** Resolves when the stack has said that a worker is back. Rejects after a while. */
  readonly isBack: (worker: string) => Promise<void>;
  /** Sends again, under other deduplication ids, what was sent last. */
  readonly repeatMessages: () => Promise<void>;
  /** Takes messages as a consumer that then does nothing with them, for so long, and lets go of them. */
  readonly holdMessages: (forMs: number) => Promise<void>;
}

const restartDeadlineMs = 60_000;
const slowness = { delayMs: 120, bytesPerSecond: 20_000 };

/** Does it, and resolves when it is over: a process or server that was ended is then running again. */
export async function injectFault(fault: Fault, on: Disturbed): Promise<void> {
  const { kind, target, durationMs } = fault;
  const { servers } = on.stack;
  switch (kind) {
    case 'worker-kill':
      signalWorker(on, target, 'SIGKILL');
      return;
    case 'worker-stop': {
      const pid = signalWorker(on, target, 'SIGSTOP');
      await delay(durationMs);
      if (pid !== undefined && isAlive(pid)) process.kill(pid, 'SIGCONT');
      return;
    }
    case 'rolling-restart':
      for (const { name } of on.stack.workers) {
        const back = on.isBack(name);
        if (signalWorker(on, name, 'SIGTERM') !== undefined) await back;
        else back.catch(() => undefined);
      }
      return;
    case 'redis-flush':
      await flush(servers.redis.current.url);
      return;
    case 'redis-restart':
      await restartServer(servers.redis, 'SIGKILL', () =>
        rmSync(join(dataPaths(on.dataDir).redis, 'appendonlydir'), { recursive: true, force: true }),
      );
      return;
    case 'postgres-restart':
      // SIGQUIT is "immediate shutdown": no session ends cleanly, and the next start recovers from the log.
      await restartServer(servers.postgres, 'SIGQUIT', () => undefined);
      return;
    case 'connections-cut':
      on.proxies[networkTarget(target)].cut();
      return;
    case 'connections-refused':
      return await during(on, target, { kind: 'refuse' }, durationMs);
    case 'connections-hung':
      return await during(on, target, { kind: 'hang' }, durationMs);
    case 'connections-slow':
      return await during(on, target, { kind: 'slow', ...slowness }, durationMs);
    case 'connections-throttled':
      return await during(on, target, { kind: 'throttle', ...slowness }, durationMs);
    case 'messages-repeated':
      return await on.repeatMessages();
    case 'messages-late':
      return await on.holdMessages(durationMs);
    default:
      kind satisfies never;
  }
}

/** Undefined when the worker is being started again just now. */
function signalWorker({ stack }: Disturbed, name: string, signal: NodeJS.Signals): number | undefined {
  const pid = stack.workers.find((worker) => worker.name === name)?.pid;
  if (pid === undefined || !isAlive(pid)) return undefined;
  process.kill(pid, signal);
  return pid;
}

async function flush(url: string): Promise<void> {
  const redis = connectRedis(url, 'chaos');
  try {
    await withDeadline('FLUSHALL', restartDeadlineMs, () => redis.flushall());
  } finally {
    redis.disconnect();
  }
}

/** Ends a server, does something to what it leaves, and waits until whoever keeps it has started it again. */
async function restartServer(
  kept: { readonly current: { readonly pid: number } },
  signal: NodeJS.Signals,
  whileGone: () => void,
): Promise<void> {
  const { pid } = kept.current;
  process.kill(pid, signal);
  const deadline = performance.now() + restartDeadlineMs;
  const until = async (what: string, probe: () => boolean) => {
    while (!probe()) {
      if (performance.now() > deadline) throw new Error(`waited ${restartDeadlineMs} ms for ${what}`);
      await delay(10);
    }
  };
  await until(`the end of ${pid}`, () => !isAlive(pid));
  whileGone();
  await until(`the successor of ${pid}`, () => kept.current.pid !== pid);
}

async function during({ proxies }: Disturbed, target: string, mode: ProxyMode, ms: number): Promise<void> {
  const proxy = proxies[networkTarget(target)];
  proxy.setMode(mode);
  await delay(ms);
  proxy.setMode({ kind: 'pass' });
}

function networkTarget(target: string): NetworkTarget {
  const known = networkTargets.find((each) => each === target);
  if (known === undefined) throw new Error(`there is no proxy before ${target}`);
  return known;
}
