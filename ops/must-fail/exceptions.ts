import type { Exception } from './take-away.ts';

/** What has no take-away, and why not. */
export const exceptions: readonly Exception[] = [
  {
    hazard: 'H24',
    reason: 'its answer is an absence: there is no such queue that could be taken away',
  },
  {
    hazard: 'H26',
    reason: 'it is about cost: the bench measures what a visit costs',
  },
];
