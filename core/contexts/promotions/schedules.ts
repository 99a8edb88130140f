import { turnOffers } from './turn-offers.ts';
import type { ScheduledJob } from '../../schedules/definition.ts';

export const promotionJobs: readonly ScheduledJob[] = [
  {
    name: 'promotions.turn_offers',
    description: 'Starts and ends offers at their times, and ends those whose budget is spent.',
    timing: { everyMs: 30_000 },
    // What a missed period would have done, the next one does.
    missed: 'skip',
    due: turnOffers,
  },
];
