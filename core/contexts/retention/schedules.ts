import type { ScheduledJob } from '../../schedules/definition.ts';
import { retentionPolicies } from './policies.ts';
import { type MonthToGo, readMonthsToGo } from './reads.ts';

/** Every night one event for each month that is past its retention and holds rows still. */
export const retentionJobs: readonly ScheduledJob[] = [
  {
    name: 'retention.trigger_jobs',
    description: 'Archives and purges what is past its retention.',
    timing: { cron: '0 4 * * *', zone: 'UTC' },
    missed: 'skip',
    async due(trx, { nowMs }) {
      const gone: MonthToGo[] = [];
      for (const policy of retentionPolicies) gone.push(...(await readMonthsToGo(trx, policy, nowMs)));
      return {
        events: gone.map(({ dataClass, month }) => ({
          eventType: 'DataRetentionJobTriggerEvent',
          payload: { dataClass, month, timestamp: new Date(nowMs).toISOString() },
          key: `${dataClass} ${month}`,
        })),
        next: undefined,
      };
    },
  },
];
