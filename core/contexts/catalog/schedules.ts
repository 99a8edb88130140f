import type { ScheduledJob } from '../../schedules/definition.ts';
import { startDueFeeds } from './feeds/start-due-feeds.ts';

/** Each feed has an interval of its own, kept in its row; the job looks which of them have come. */
export const startFeeds: ScheduledJob = {
  name: 'catalog.start_feeds',
  description: 'Begins the runs of product feeds that are due, and the checks of what was submitted.',
  timing: { everyMs: 30_000 },
  missed: 'skip',
  due: async (trx, { nowMs, after, limit }) => {
    const { next } = await startDueFeeds(trx, { nowMs, after, limit });
    return { events: [], next };
  },
};
