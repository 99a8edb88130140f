import { accepting } from './accepting.ts';
import { sending } from './sending.ts';
import { sharing } from './sharing.ts';
import { waking } from './waking.ts';
import { working } from './working.ts';
import type { TakeAway } from './take-away.ts';

/** All take-aways, in the order of docs/hazards.md. */
export const takeAways: readonly TakeAway[] = [...accepting, ...waking, ...working, ...sharing, ...sending].toSorted(
  (a, b) => Number(a.hazard.slice(1)) - Number(b.hazard.slice(1)),
);
