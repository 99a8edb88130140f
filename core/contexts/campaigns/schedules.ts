import { applyRules } from './rules/apply-rules.ts';
import { followOffers } from './follow-offers.ts';
import { EVERY_MS as SPENT_EVERY_MS, tellSpentBudgets } from './tell-spent-budgets.ts';
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
  {
    name: 'campaigns.follow_offers',
    description: 'Activates and pauses campaigns with the offers that they are tied to.',
    timing: { everyMs: 30_000 },
    missed: 'skip',
    due: async (trx, turn) => ({ events: [], next: await followOffers(trx, registry, turn) }),
  },
  {
    name: 'campaigns.apply_rules',
    description: 'Judges campaigns by the rules that merchants made for them.',
    timing: { everyMs: 3_600_000 },
    // The next period judges the same days.
    missed: 'skip',
    pageSize: 50,
    due: (trx, turn) => applyRules(trx, registry, turn),
  },
  {
    name: 'campaigns.tell_spent_budgets',
    description: 'Tells merchants of campaigns that have spent the budget of their day.',
    timing: { everyMs: SPENT_EVERY_MS },
    missed: 'skip',
    due: tellSpentBudgets,
  },
];
