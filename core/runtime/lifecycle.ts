import { withDeadline } from './deadline.ts';
import { coerceError } from './errors.ts';
import type { Log } from './log.ts';

export type LifecycleState = 'starting' | 'ready' | 'draining' | 'stopped';

/**
 * starting ─► ready ─► draining ─► stopped
 *
 * `ready()` once everything that must work does. The first SIGTERM or SIGINT enters `draining`: `signal` fires, then
 * the registered stops run one after the other in reverse order of registration, what was started last stopping first.
 * A stop has its share of `drainMs`: one that hangs, since what it waits for does, is left behind for the sake of the next.
 * After `drainMs` the process exits whatever hangs; a second signal does not hurry it, an orchestrator sends several.
 */
export interface Lifecycle {
  readonly state: LifecycleState;
  /** Fires when draining begins. */
  readonly signal: AbortSignal;
  ready(): void;
  /**
   * `stop` is told how much of `drainMs` is left when its turn comes.
   * @param share of `drainMs`, which it may take at most: a twentieth unless given
   */
  onStop(name: string, stop: (leftMs: number) => Promise<void>, share?: number): void;
  drain(reason: string): Promise<void>;
}

const SHARE = 0.05;
/** For a server whose requests in flight are to have their answers: nearly all of it. */
export const SERVER_SHARE = 0.9;

export function createLifecycle(log: Log, drainMs: number): Lifecycle {
  let state: LifecycleState = 'starting';
  const controller = new AbortController();
  const stops: { name: string; stop: (leftMs: number) => Promise<void>; share: number }[] = [];
  let draining: Promise<void> | undefined;

  const runStops = async (reason: string) => {
    state = 'draining';
    log.info('draining', { reason });
    const hard = setTimeout(() => {
      log.error('drain deadline passed, exiting with work in flight', { drainMs });
      process.exit(1);
    }, drainMs);
    hard.unref();
    const endsAt = performance.now() + drainMs;
    controller.abort(new Error(reason));
    for (const { name, stop, share } of stops.toReversed()) {
      const leftMs = endsAt - performance.now();
      try {
        await withDeadline(`stopping ${name}`, Math.min(leftMs, share * drainMs), () => stop(leftMs));
      } catch (error) {
        log.error(`stopping ${name} failed, going on without it`, {
          error: coerceError(error, 'internal.unexpected').message,
        });
      }
    }
    clearTimeout(hard);
    state = 'stopped';
    log.info('stopped', { reason });
  };

  return {
    get state() {
      return state;
    },
    signal: controller.signal,
    ready() {
      if (state === 'starting') state = 'ready';
    },
    onStop: (name, stop, share = SHARE) => void stops.push({ name, stop, share }),
    drain: (reason) => (draining ??= runStops(reason)),
  };
}

/** Ends the process cleanly on SIGTERM and SIGINT, and when the supervisor that started it is gone (IPC closed). */
export function drainOnSignals(lifecycle: Lifecycle): void {
  const end = (reason: string) => void lifecycle.drain(reason).then(() => process.exit(0));
  process.on('SIGTERM', () => end('SIGTERM'));
  process.on('SIGINT', () => end('SIGINT'));
  if (process.channel) process.on('disconnect', () => end('supervisor gone'));
}
