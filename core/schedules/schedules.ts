import { adNetworkJobs } from '../contexts/ad-networks/schedules.ts';
import { audienceJobs } from '../contexts/audiences/schedules.ts';
import { billingJobs } from '../contexts/billing/schedules.ts';
import { campaignJobs } from '../contexts/campaigns/schedules.ts';
import { startFeeds } from '../contexts/catalog/schedules.ts';
import { platformJobs } from '../contexts/platform/schedules.ts';
import { corePlatformJobs } from '../contexts/core-platform/schedules.ts';
import { promotionJobs } from '../contexts/promotions/schedules.ts';
import { retentionJobs } from '../contexts/retention/schedules.ts';
import { isZone } from '../runtime/zone.ts';
import type { ScheduledJob } from './definition.ts';
import { periodAt } from './periods.ts';

/** Every scheduled job of the system, by name. Contexts declare theirs in `schedules.ts` and add them here. */
export type Schedules = ReadonlyMap<string, ScheduledJob>;

const SHORTEST_MS = 1_000;
const MAX_CATCH_UP = 1_000;
/** Any instant does: a timing that cannot be worked out at one cannot be worked out at all. */
const PROBE_MS = Date.UTC(2026, 0, 15);

/** Throws an Error that lists every fault of the jobs. */
export function createSchedules(jobs: readonly ScheduledJob[]): Schedules {
  const byName = new Map(jobs.map((job) => [job.name, job]));
  const faults = jobs.flatMap((job) => jobFaults(job).map((fault) => `${job.name} ${fault}`));
  if (byName.size < jobs.length) faults.push('two jobs have one name');
  if (faults.length > 0) throw new Error(`the schedules are not consistent:\n  ${faults.join('\n  ')}`);
  return byName;
}

function jobFaults({ name, timing, missed, pageSize = 1 }: ScheduledJob): string[] {
  const faults: string[] = [];
  if (!/^[a-z][a-z_]*\.[a-z][a-z_]*$/.test(name)) faults.push('is not named `context.what_it_does`');
  if (missed !== 'skip' && !(missed.catchUp >= 1 && missed.catchUp <= MAX_CATCH_UP))
    faults.push(`catches up ${missed.catchUp} periods, not 1 to ${MAX_CATCH_UP}`);
  if (!(pageSize >= 1 && pageSize <= 5_000)) faults.push(`has pages of ${pageSize}, not 1 to 5000`);
  if ('everyMs' in timing) {
    if (timing.everyMs < SHORTEST_MS) faults.push(`runs every ${timing.everyMs} ms, less than ${SHORTEST_MS}`);
    return faults;
  }
  if (timing.cron.trim().split(/\s+/).length !== 5) faults.push(`has cron ${timing.cron}, which has not five fields`);
  else if (!isZone(timing.zone)) faults.push(`names the zone ${timing.zone}, which is none`);
  else {
    try {
      periodAt(timing, PROBE_MS);
    } catch (error) {
      faults.push(`has cron ${timing.cron}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return faults;
}

export const schedules: Schedules = createSchedules([
  ...adNetworkJobs,
  ...audienceJobs,
  ...billingJobs,
  ...campaignJobs,
  ...platformJobs,
  ...corePlatformJobs,
  ...promotionJobs,
  ...retentionJobs,
  startFeeds,
]);
