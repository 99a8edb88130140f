import type { TurnLimits } from '../../workers/turns.ts';
import type { SimulationFigures } from './figures.ts';
import { convoyCost } from './measured.ts';
import { simulateLanes } from './simulate-lanes.ts';

/** The defaults of core/runtime/config.ts. */
export const usualLimits: TurnLimits = {
  windowEvents: 200,
  windowBytes: 1_048_576,
  convoyLanes: 64,
  convoyEvents: 800,
  convoyBytes: 4_194_304,
  quantumWindows: 4,
  quantumMs: 2_000,
};

const MERCHANTS = 1_000_000;
const CREWS = 32;
const PROCESSORS = 8;
const NOISY_BACKLOG = 100_000;

/** Events a second; the last is what eight processors can just do with one event a lane. */
const runs = [
  { name: 'a usual hour', eventsPerSecond: 350, seconds: 600 },
  { name: 'a busy hour', eventsPerSecond: 1_400, seconds: 300 },
  { name: 'ten times a busy hour', eventsPerSecond: 14_000, seconds: 60 },
  { name: 'at the limit', eventsPerSecond: 20_000, seconds: 60 },
] as const;

/** A million merchants, one of whom has a backlog of 100,000 from the beginning. */
export async function runSimulations(say: (line: string) => void): Promise<SimulationFigures[]> {
  const results: SimulationFigures[] = [];
  for (const { name, eventsPerSecond, seconds } of runs) {
    const options = {
      merchants: MERCHANTS,
      eventsPerSecond,
      seconds,
      processors: PROCESSORS,
      noisyBacklog: NOISY_BACKLOG,
    };
    const result = await simulateLanes({ ...options, crews: CREWS, cost: convoyCost, limits: usualLimits, seed: 1 });
    say(`${name}: p99 ${result.quietP99Ms} ms, ${result.open} left open`);
    results.push({ name, ...options, ...result });
  }
  return results;
}
