import { createRandom } from '../load/random.ts';

/** What can be done to a running stack. */
export const faultKinds = [
  'worker-kill',
  'worker-stop',
  'rolling-restart',
  'redis-flush',
  'redis-restart',
  'postgres-restart',
  'connections-cut',
  'connections-refused',
  'connections-hung',
  'connections-slow',
  'connections-throttled',
  'messages-repeated',
  'messages-late',
] as const;

export type FaultKind = (typeof faultKinds)[number];

export const networkTargets = ['postgres', 'redis', 'aws', 'dynamodb'] as const;
export type NetworkTarget = (typeof networkTargets)[number];

export interface Fault {
  readonly kind: FaultKind;
  /** It begins when so many events have been sent. */
  readonly afterEvents: number;
  /** Which worker, which server; empty where there is nothing to choose. */
  readonly target: string;
  /** How long it lasts; 0 for what is over at once. */
  readonly durationMs: number;
}

export interface ScheduleOptions {
  readonly events: number;
  readonly faults: number;
  readonly workers: number;
  readonly leaseMs: number;
}

/**
 * The faults of a run in the order in which they begin, the same for the same seed and options. They are spread over the
 * load with some play, and no kind comes a second time before every other one has come once, as far as their number allows.
 */
export function scheduleFaults(seed: number, options: ScheduleOptions): readonly Fault[] {
  // Not the generator of the load: a longer load must not have other faults.
  const random = createRandom(seed ^ 0x5eed);
  const share = options.events / (options.faults + 1);
  let deck: FaultKind[] = [];
  return Array.from({ length: options.faults }, (_, index): Fault => {
    if (deck.length === 0) deck = shuffled([...faultKinds], (bound) => random.below(bound));
    const kind = deck.pop() ?? 'worker-kill';
    const afterEvents = Math.floor(share * (index + 0.5 + random.next()));
    const { target, durationMs } = drawExtent(kind, options, (bound) => random.below(bound));
    return { kind, afterEvents, target, durationMs };
  });
}

function drawExtent(
  kind: FaultKind,
  { workers, leaseMs }: ScheduleOptions,
  below: (bound: number) => number,
): Pick<Fault, 'target' | 'durationMs'> {
  const server = (): string => networkTargets[below(networkTargets.length)] ?? networkTargets[0];
  const worker = (): string => `worker-${1 + below(workers)}`;
  switch (kind) {
    case 'worker-kill':
      return { target: worker(), durationMs: 0 };
    case 'worker-stop':
      // Past the lease, so that another worker has taken over by the time it comes back.
      return { target: worker(), durationMs: Math.round(leaseMs * 1.5) + below(1_000) };
    case 'redis-flush':
    case 'rolling-restart':
    case 'messages-repeated':
      return { target: '', durationMs: 0 };
    case 'redis-restart':
      return { target: 'redis', durationMs: 0 };
    case 'postgres-restart':
      return { target: 'postgres', durationMs: 0 };
    case 'connections-cut':
      return { target: server(), durationMs: 0 };
    case 'connections-refused':
    case 'connections-hung':
      return { target: server(), durationMs: 1_000 + below(3_000) };
    case 'connections-slow':
    case 'connections-throttled':
      return { target: server(), durationMs: 2_000 + below(3_000) };
    case 'messages-late':
      return { target: '', durationMs: 1_000 + below(3_000) };
    default:
      return kind satisfies never;
  }
}

/** Fisher–Yates. */
function shuffled<T>(items: T[], below: (bound: number) => number): T[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last--) {
    const other = below(last + 1);
    const [a, b] = [result[last], result[other]];
    if (a === undefined || b === undefined) continue;
    result[last] = b;
    result[other] = a;
  }
  return result;
}
