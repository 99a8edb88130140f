import { setTimeout as delay } from 'node:timers/promises';
import { restartDelayMs } from './supervisor.ts';

export interface Server {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/**
 * Keeps a server of the stack running: one that ends by itself is started again on the port it had, with growing pauses,
 * while everything that uses it reconnects. `afterRestart` puts back what it does not keep itself.
 */
export interface KeptServer<S extends Server> {
  readonly current: S;
  stop(): Promise<void>;
}

export interface KeepOptions<S extends Server> {
  readonly name: string;
  readonly start: (onUnexpectedExit: (reason: string) => void) => Promise<S>;
  readonly log: (line: string) => void;
  readonly onSpawn: (name: string, pid: number) => void;
  readonly onExit: (pid: number) => void;
  readonly afterRestart?: () => Promise<void>;
}

/** A life that lasted this long makes the next death a first one. */
const settledAfterMs = 30_000;

export async function keepServer<S extends Server>(options: KeepOptions<S>): Promise<KeptServer<S>> {
  const { name, start, log, onSpawn, onExit } = options;
  const stopping = new AbortController();
  let deaths = 0;
  let bornAt = performance.now();
  let reviving: Promise<void> = Promise.resolve();

  const gone = (reason: string) => {
    onExit(server.pid);
    if (performance.now() - bornAt > settledAfterMs) deaths = 0;
    if (!stopping.signal.aborted) reviving = revive(reason);
  };
  const revive = async (reason: string): Promise<void> => {
    while (!stopping.signal.aborted) {
      deaths += 1;
      const waitMs = restartDelayMs(deaths);
      log(`${reason}; starting it again in ${waitMs} ms`);
      await delay(waitMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      try {
        server = await start(gone);
        bornAt = performance.now();
        onSpawn(name, server.pid);
        await options.afterRestart?.();
        log(`${name} is back (${server.pid})`);
        return;
      } catch (error) {
        reason = `${name} did not come back: ${error instanceof Error ? error.message : String(error)}`;
      }
    }
  };

  let server = await start(gone);
  onSpawn(name, server.pid);
  return {
    get current() {
      return server;
    },
    async stop() {
      stopping.abort();
      await reviving;
      await server.stop();
      onExit(server.pid);
    },
  };
}
