import { newTenure } from '../../workers/act.ts';
import { type CrewDependencies, runCrew } from '../../workers/crew.ts';
import type { TurnLimits } from '../../workers/turns.ts';
import { createRandom } from '../load/random.ts';
import type { ConvoyCost } from './measured.ts';
import { createSimulatedActivations, createSimulatedLanes } from './simulated-stores.ts';
import { createVirtualTime } from './virtual-time.ts';

export interface LaneSimulation {
  merchants: number;
  /** All merchants together. */
  eventsPerSecond: number;
  seconds: number;
  /** Events that one merchant has waiting from the beginning. */
  noisyBacklog: number;
  crews: number;
  /** Transactions that the database works at a time. */
  processors: number;
  cost: ConvoyCost;
  limits: TurnLimits;
  seed: number;
}

export interface LaneSimulationResult {
  merchantsServed: number;
  events: number;
  convoys: number;
  activations: number;
  /** Share of the database's time that was used while events came. */
  utilisation: number;
  quietP50Ms: number;
  quietP99Ms: number;
  quietMaxMs: number;
  /** When the noisy merchant's backlog was worked off. */
  noisyDoneSeconds: number;
  /** Events that were never worked: 0, or something is forgotten. */
  open: number;
}

const TICK_MS = 10;
const NOISY = 0;

/** The crews of workers (`workers/crew.ts`, `turns.ts`, `lane-limits.ts`) over stores that are simulated, in virtual time. */
export async function simulateLanes(options: LaneSimulation): Promise<LaneSimulationResult> {
  const { merchants, eventsPerSecond, seconds, limits, cost } = options;
  const time = createVirtualTime();
  const { clock } = time;
  const random = createRandom(options.seed);
  const served = new Uint8Array(merchants);
  const waited: number[] = [];
  let noisyDoneMs = 0;
  const dwell = {
    add(merchant: number, waitedMs: number): void {
      served[merchant] = 1;
      if (merchant === NOISY) noisyDoneMs = clock.now();
      else waited.push(waitedMs);
    },
  };
  const activations = createSimulatedActivations(merchants);
  const lanes = createSimulatedLanes({ merchants, clock, limits, cost, processors: options.processors, dwell });
  const stopping = new AbortController();
  const never = new AbortController().signal;
  const deps: CrewDependencies = {
    clock,
    limits,
    convoyLanes: () => limits.convoyLanes,
    workConvoy: (tenures) => lanes.workConvoy(tenures),
    stopping: stopping.signal,
    giveUp: never,
    admit: (activation) => ({
      activation,
      lease: { signal: never, release: () => undefined },
      tenure: newTenure('simulated'),
      startedAt: clock.now(),
      windows: 0,
    }),
    workAlone: () => {
      throw new Error('nothing fails here, so nothing is worked alone');
    },
    idle: activations.idle,
    exchange: (ends, room) => Promise.resolve({ claimed: activations.exchange(ends, room), dueAt: undefined }),
    suspect: () => undefined,
    isSuspect: () => false,
    refused: () => undefined,
    afterTrouble: (activation) => ({ activation, action: 'again' }),
    working: () => undefined,
    lanes: () => undefined,
  };
  const accept = (merchant: number): void => {
    lanes.accept(merchant);
    activations.add(merchant);
  };
  let events = options.noisyBacklog;
  for (let n = 0; n < options.noisyBacklog; n++) accept(NOISY);
  const arrive = async (): Promise<void> => {
    for (let tick = 0; tick < (seconds * 1_000) / TICK_MS; tick++) {
      const due = Math.floor(((tick + 1) * TICK_MS * eventsPerSecond) / 1_000) - (events - options.noisyBacklog);
      for (let n = 0; n < due; n++) accept(1 + random.below(merchants - 1));
      events += due;
      await clock.sleep(TICK_MS);
    }
  };
  const crews = Array.from({ length: options.crews }, () => runCrew(deps));
  void arrive();
  await time.run(seconds * 1_000);
  const { busyMs } = lanes.figures;
  // Long enough for whatever is left; a scheduler that forgets somebody leaves them open.
  await time.run(Number.MAX_SAFE_INTEGER);
  stopping.abort();
  activations.wakeAll();
  await time.run(Number.MAX_SAFE_INTEGER);
  await Promise.all(crews);
  waited.sort((a, b) => a - b);
  const at = (share: number): number =>
    Math.round(waited[Math.min(waited.length - 1, Math.floor(waited.length * share))] ?? 0);
  return {
    merchantsServed: served.reduce((sum, each) => sum + each, 0),
    events,
    convoys: lanes.figures.convoys,
    activations: activations.claims,
    utilisation: Math.round((100 * busyMs) / (seconds * 1_000 * options.processors)) / 100,
    quietP50Ms: at(0.5),
    quietP99Ms: at(0.99),
    quietMaxMs: at(1),
    noisyDoneSeconds: Math.round(noisyDoneMs / 1_000),
    open: lanes.figures.open,
  };
}
