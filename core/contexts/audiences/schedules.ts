import { forgetMembers } from './forget-members.ts';
import type { ScheduledJob } from '../../schedules/definition.ts';

export const audienceJobs: readonly ScheduledJob[] = [
  {
    name: 'audiences.forget_members',
    description: 'Deletes the hashes of members that every network has forgotten.',
    timing: { everyMs: 3_600_000 },
    // What a missed period would have deleted, the next one does.
    missed: 'skip',
    due: async (trx, turn) => ({ events: [], next: await forgetMembers(trx, turn) }),
  },
];
