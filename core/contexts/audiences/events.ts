import { z } from 'zod';
import { type EventDefinition, thresholds } from '../../events/definition.ts';
import { id, isoTimestamp, merchantId } from '../../events/envelope.ts';
import { laneRetry } from '../../runtime/retry.ts';
import { adNetworkIds } from '../campaigns/events.ts';

/** Says that a segment has changed, and never who is in it: members are hashed rows that the effect actors read. */
export const audienceSegmentUpdateRequestedPayload = z.looseObject({
  segmentId: id(128),
  adNetworkIds: z.array(z.enum(adNetworkIds)).min(1).max(10),
  operation: z
    .string()
    .toLowerCase()
    .pipe(z.enum(['sync', 'delete'])),
  timestamp: isoTimestamp,
  merchantId: merchantId.optional(),
});

export type AudienceSegmentUpdateRequested = z.infer<typeof audienceSegmentUpdateRequestedPayload>;

export const audienceSegmentUpdateRequestedEvent: EventDefinition = {
  id: 'evt_aud_seg_upd_req_001',
  name: 'AudienceSegmentUpdateRequestedEvent',
  type: 'command',
  category: 'Audience Synchronization',
  description: 'Members of an audience segment have changed, or it is gone, and its ad networks are to follow.',
  frequency: 'medium',
  priority: 'medium',
  criticality: 'important',
  routingKey: 'audience.segment.update.requested',
  sourceContext: 'AudienceManagementService',
  targetContexts: ['AdNetworkIntegrationService'],
  versions: [{ version: '1.0.0', schema: audienceSegmentUpdateRequestedPayload }],
  aggregate: (payload) => `audience:${audienceSegmentUpdateRequestedPayload.parse(payload).segmentId}`,
  route: 'fifo',
  queue: 'AudienceEventsQueue',
  deadLetterQueue: 'AudienceEventsDLQ',
  timeoutMs: 60_000,
  retry: laneRetry,
  thresholds: thresholds('medium'),
  handlers: [
    {
      name: 'synchronizeAudienceSegmentWithAdNetworks',
      service: 'AdNetworkIntegrationService',
      holds: 'aggregate',
      onPoison: 'release',
      effect: 'state',
      load: async () =>
        (await import('../ad-networks/synchronize-audience-segment-with-ad-networks.ts'))
          .synchronizeAudienceSegmentWithAdNetworks,
    },
  ],
  example: {
    segmentId: 'seg-1001',
    adNetworkIds: ['meta'],
    operation: 'sync',
    timestamp: '2026-11-23T10:15:00.000Z',
  },
};
