import { sql } from 'kysely';
import { monthBefore } from './periods.ts';
import { dayOf } from '../../runtime/clock.ts';
import type { ScheduledJob } from '../../schedules/definition.ts';

/**
 * On the first of a month, one BillingCycleEvent for each merchant and the month that ended. Three hours into it, when the
 * last zone's day has nearly passed and most of its figures are there; what comes later is still in the draft.
 */
export const billingJobs: readonly ScheduledJob[] = [
  {
    name: 'billing.close_cycles',
    description: 'Invoices the month that ended, merchant by merchant.',
    timing: { cron: '0 3 1 * *', zone: 'UTC' },
    missed: { catchUp: 12 },
    async due(trx, { period, nowMs, after, limit }) {
      const { rows } = await sql<{ merchantId: string }>`
        select merchant_id as "merchantId" from merchants where merchant_id > ${after}
        order by merchant_id limit ${limit}
      `.execute(trx);
      const billingPeriod = monthBefore(dayOf(period.startMs));
      const timestamp = new Date(nowMs).toISOString();
      return {
        events: rows.map(({ merchantId }) => ({
          eventType: 'BillingCycleEvent',
          merchantId,
          payload: { merchantId, billingPeriod, timestamp },
        })),
        next: rows.length === limit ? rows.at(-1)?.merchantId : undefined,
      };
    },
  },
];
