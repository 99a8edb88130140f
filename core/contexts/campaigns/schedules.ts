import { followSchedules } from './follow-schedules.ts';
import { registry } from '../../events/registry.ts';
import type { ScheduledJob } from '../../schedules/definition.ts';

export const campaignJobs: readonly ScheduledJob[] = [
  {
    name: 'campaigns.follow_schedules',
    description: 'Starts and ends campaigns at their times.',
    timing: { everyMs: 30_000 },
    // What a missed period would have done, the next one does.
    missed: 'skip',
    due: async (trx, turn) => ({ events: [], next: await followSchedules(trx, registry, turn) }),
  },
];
