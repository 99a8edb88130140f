import type { BenchContext } from './context.ts';
import { runAccept } from './parts/accept.ts';
import { runEngine, runSparse } from './parts/engine.ts';
import { runLanes } from './parts/lanes.ts';

/** Every part, in the order in which they run. */
export const parts = {
  lanes: runLanes,
  engine: runEngine,
  sparse: runSparse,
  accept: runAccept,
} as const satisfies Record<string, (context: BenchContext) => Promise<object>>;

export type PartName = keyof typeof parts;

export const partNames = Object.keys(parts) as PartName[];

export const isPartName = (name: string): name is PartName => Object.hasOwn(parts, name);
