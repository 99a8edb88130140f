import { sql } from 'kysely';
import type { ScheduledJob } from '../../schedules/definition.ts';
import { retentionPolicies, youngestToGo } from './policies.ts';

/** Every night one event for each month that is past its retention and still there. */
export const retentionJobs: readonly ScheduledJob[] = [
  {
    name: 'retention.trigger_jobs',
    description: 'Archives and purges what is past its retention.',
    timing: { cron: '0 4 * * *', zone: 'UTC' },
    missed: 'skip',
    async due(trx, { nowMs }) {
      const { rows } = await sql<{ dataClass: string; month: string }>`
        select p.relname as "dataClass", to_char(to_date(right(c.relname, 6), 'YYYYMM'), 'YYYY-MM') as month
        from pg_inherits join pg_class c on c.oid = inhrelid join pg_class p on p.oid = inhparent
        where p.relname = any(${retentionPolicies.map(({ dataClass }) => dataClass)}::text[])
          and c.relname ~ '_[0-9]{6}$' order by 1, 2
      `.execute(trx);
      const gone = rows.filter(({ dataClass, month }) =>
        retentionPolicies.some((policy) => policy.dataClass === dataClass && month <= youngestToGo(policy, nowMs)),
      );
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
