import type { LoadEvent } from '../load/load-event.ts';
import { type Disturbed, injectFault } from './inject-fault.ts';
import type { Producers } from './send-load.ts';
import type { Fault } from './schedule-faults.ts';

export interface InjectedFault extends Fault {
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** Why it could not be done, where that is so. */
  readonly failure: string | undefined;
}

export interface DisturbOptions {
  readonly load: readonly LoadEvent[];
  readonly rate: number;
  readonly schedule: readonly Fault[];
  readonly disturbed: Disturbed;
  readonly producers: Producers;
  readonly say: (line: string) => void;
}

/**
 * Sends the load and lets each fault begin when as many events have been sent as the schedule says. Faults may overlap,
 * except that those at one target follow each other: a server that is just being started again cannot be ended.
 */
export async function disturb(options: DisturbOptions): Promise<readonly InjectedFault[]> {
  const { load, rate, schedule, disturbed, producers, say } = options;
  const waiting = [...schedule];
  const underWay: Promise<InjectedFault>[] = [];
  const lastAt = new Map<string, Promise<unknown>>();

  const begin = (fault: Fault): void => {
    const targets = fault.kind === 'rolling-restart' ? disturbed.stack.workers.map(({ name }) => name) : [fault.target];
    const ahead = Promise.all(targets.flatMap((target) => lastAt.get(target) ?? []));
    const injected = ahead.then(() => inject(fault, disturbed, say));
    for (const target of targets) if (target !== '') lastAt.set(target, injected);
    underWay.push(injected);
  };
  await producers.sendPaced(load, rate, (count) => {
    for (let next = waiting[0]; next !== undefined && next.afterEvents <= count; next = waiting[0]) {
      waiting.shift();
      begin(next);
    }
  });
  return await Promise.all(underWay);
}

async function inject(fault: Fault, disturbed: Disturbed, say: (line: string) => void): Promise<InjectedFault> {
  const startedAtMs = Date.now();
  const { kind, target, durationMs } = fault;
  say(`fault: ${[kind, target, durationMs === 0 ? '' : `${durationMs} ms`].filter(Boolean).join(' ')}`);
  let failure: string | undefined;
  try {
    await injectFault(fault, disturbed);
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
    say(`fault ${kind} ${target} failed: ${failure}`);
  }
  return { ...fault, startedAtMs, endedAtMs: Date.now(), failure };
}
