import type { BenchContext } from './context.ts';
import { runAccept } from './parts/accept.ts';
import { runEngine, runSparse } from './parts/engine.ts';
import { runFailing } from './parts/failing.ts';
import { runFairness } from './parts/fairness.ts';
import { runLanes } from './parts/lanes.ts';
import { runLatency } from './parts/latency.ts';
import { runMemory } from './parts/memory.ts';
import { runPipeline } from './parts/pipeline.ts';
import { runRecovery } from './parts/recovery.ts';
import { runScale } from './parts/scale.ts';

/** Every part, in the order in which they run. */
export const parts = {
  lanes: runLanes,
  engine: runEngine,
  sparse: runSparse,
  failing: runFailing,
  accept: runAccept,
  pipeline: runPipeline,
  scale: runScale,
  fairness: runFairness,
  latency: runLatency,
  recovery: runRecovery,
  memory: runMemory,
} as const satisfies Record<string, (context: BenchContext) => Promise<object>>;

export type PartName = keyof typeof parts;

// Object.keys forgets the names it was given.
export const partNames = Object.keys(parts) as PartName[];

export const isPartName = (name: string): name is PartName => Object.hasOwn(parts, name);
