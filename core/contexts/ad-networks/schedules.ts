import { type Transaction, sql } from 'kysely';
import { declareIntents } from '../../database/intents.ts';
import type { Database } from '../../database/tables.ts';
import { dayOf } from '../../runtime/clock.ts';
import { newTraceparent } from '../../runtime/tracing.ts';
import type { ScheduledJob, ScheduledTurn } from '../../schedules/definition.ts';

interface NetworkJob {
  /** Names the object of the intent: what was not done yet by the next period is replaced by it. */
  object: string;
  desired: Record<string, unknown>;
  eventType: string;
  /** Whose merchants are asked about: of every campaign that a network has, or only where it has ads too. */
  of?: 'ads';
}

const tables = { campaigns: 'campaign_network_states', ads: 'ad_object_network_states' } as const;

const DEADLINE_MS = 60_000;

/**
 * One intent for each network that holds campaigns, or ads, of a merchant. The calls are the effect actors' business, which share the
 * quotas out: what is due for everybody at once goes out as fast as the networks let it.
 */
async function declarePage(
  trx: Transaction<Database>,
  name: string,
  { object, desired, eventType, of }: NetworkJob,
  { period, after, limit, nowMs }: ScheduledTurn,
): Promise<string | undefined> {
  const { rows } = await sql<{ merchantId: string; networks: string[] }>`
    select merchant_id as "merchantId", array_agg(distinct ad_network_id order by ad_network_id) as networks
    from ${sql.table(tables[of ?? 'campaigns'])} where external_id is not null and merchant_id > ${after}
    group by merchant_id order by merchant_id limit ${limit}
  `.execute(trx);
  const at = new Date(period.startMs).toISOString();
  const intents = rows.flatMap(({ merchantId, networks }) =>
    networks.map((network) => ({
      merchantId,
      destination: `ad-network:${network}`,
      objectKey: object,
      desired: { ...desired, period: at },
      eventId: `${name}/${network}/${at}`,
      eventType,
      handler: name,
      mseq: 0,
      day: dayOf(nowMs),
      correlationId: `${name}:${at}`,
      traceparent: newTraceparent(),
      deadlineMs: DEADLINE_MS,
    })),
  );
  await declareIntents(trx, intents, nowMs);
  return rows.length < limit ? undefined : rows.at(-1)?.merchantId;
}

const networkJob = (
  { name, description, timing }: Pick<ScheduledJob, 'name' | 'description' | 'timing'>,
  job: NetworkJob,
): ScheduledJob => ({
  name,
  description,
  timing,
  // The next period reads or compares the same again.
  missed: 'skip',
  due: async (trx, turn) => ({ events: [], next: await declarePage(trx, name, job, turn) }),
});

const performance = (object: string, days: number): NetworkJob => ({
  object,
  desired: { kind: 'report', days },
  eventType: 'AdPerformanceDataIngestedEvent',
});

const adPerformance = (object: string, days: number): NetworkJob => ({
  object,
  desired: { kind: 'ad_report', days },
  eventType: 'AdPerformanceDataIngestedEvent',
  of: 'ads',
});

/** Figures move for 28 days after the day they are of; the last days move most. */
export const adNetworkJobs: readonly ScheduledJob[] = [
  networkJob(
    {
      name: 'ad_networks.fetch_performance',
      description: 'Reads the last three days of every campaign from its network.',
      timing: { everyMs: 3_600_000 },
    },
    performance('report/recent', 3),
  ),
  networkJob(
    {
      name: 'ad_networks.restate_performance',
      description: 'Reads the last 30 days again, as networks restate them.',
      timing: { cron: '20 4 * * *', zone: 'UTC' },
    },
    performance('report/restated', 30),
  ),
  networkJob(
    {
      name: 'ad_networks.fetch_ad_performance',
      description: 'Reads the last three days of every ad from its network, less often than those of campaigns.',
      timing: { everyMs: 6 * 3_600_000 },
    },
    adPerformance('ad-report/recent', 3),
  ),
  networkJob(
    {
      name: 'ad_networks.restate_ad_performance',
      description: 'Reads the last 30 days of ads again, after those of campaigns.',
      timing: { cron: '50 4 * * *', zone: 'UTC' },
    },
    adPerformance('ad-report/restated', 30),
  ),
  networkJob(
    {
      name: 'ad_networks.reconcile',
      description: 'Compares what the networks hold with what they should.',
      timing: { everyMs: 6 * 3_600_000 },
    },
    { object: 'reconcile', desired: { kind: 'reconcile' }, eventType: 'CampaignStateChangeRequestedEvent' },
  ),
];
