import { z } from 'zod';
import { type EventDefinition, thresholds } from '../../events/definition.ts';
import { isoTimestamp } from '../../events/envelope.ts';
import { dataClasses } from './policies.ts';
import { laneRetry } from '../../runtime/retry.ts';

export const dataRetentionJobTriggerPayload = z.looseObject({
  dataClass: z.enum(dataClasses),
  /** The month to archive and purge, `YYYY-MM`. */
  month: z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/, { error: 'must be a month such as 2026-11' }),
  /** Counts what would go, and leaves it. */
  dryRun: z.boolean().optional(),
  timestamp: isoTimestamp,
});

export type DataRetentionJobTrigger = z.infer<typeof dataRetentionJobTriggerPayload>;

export const archiveDestination = 'archive:data';

export const dataRetentionJobTriggerEvent: EventDefinition = {
  id: 'evt_data_retention_job_001',
  name: 'DataRetentionJobTriggerEvent',
  type: 'system',
  category: 'Data Lifecycle',
  description: 'A month of a class of data has reached the end of its retention: it is to be archived and purged.',
  frequency: 'low',
  priority: 'low',
  criticality: 'normal',
  routingKey: 'data.retention.job.trigger',
  sourceContext: 'PlatformAdministrationService',
  targetContexts: ['DataRetentionService'],
  versions: [{ version: '1.0.0', schema: dataRetentionJobTriggerPayload }],
  aggregate: (payload) => {
    const { dataClass, month } = dataRetentionJobTriggerPayload.parse(payload);
    return `retention:${dataClass}:${month}`;
  },
  route: 'fifo',
  queue: 'DataRetentionJobQueue',
  deadLetterQueue: 'DataRetentionJobDLQ',
  laneWithoutMerchant: 'platform',
  timeoutMs: 120_000,
  retry: laneRetry,
  thresholds: thresholds('low'),
  handlers: [
    {
      name: 'runDataRetentionJob',
      service: 'DataRetentionService',
      holds: 'aggregate',
      onPoison: 'release',
      effect: 'state',
      load: async () => (await import('./run-data-retention-job.ts')).runDataRetentionJob,
    },
  ],
  example: { dataClass: 'audit_log', month: '2024-10', timestamp: '2026-11-23T04:00:00.000Z' },
};
