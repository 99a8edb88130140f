import { sql } from 'kysely';
import { defineHandler, done, skip } from '../../events/handler.ts';
import type { AudienceSegmentUpdateRequested } from '../audiences/events.ts';
import { getSegment } from '../audiences/reads.ts';

/**
 * Asks each network of a segment to follow it. What is desired is read from the segment as it is now, so that a command that
 * comes late or twice asks for nothing that is not wanted any more; members travel in no event and no intent.
 */
export const synchronizeAudienceSegmentWithAdNetworks = defineHandler<AudienceSegmentUpdateRequested>({
  async handle(event, { trx, now, ...context }) {
    const { merchantId, payload } = event;
    const segment = await getSegment(trx, merchantId, payload.segmentId);
    if (segment === undefined) return skip(`there is no audience ${payload.segmentId}`);
    const networks = [...new Set(payload.adNetworkIds)].toSorted();
    await sql`
      insert into audience_network_states (merchant_id, segment_id, ad_network_id, status, updated_at)
      select ${merchantId}, ${segment.segmentId}, network, 'pending', ${new Date(now)}::timestamptz
      from unnest(${networks}::text[]) as t (network) order by network collate "C"
      on conflict (merchant_id, segment_id, ad_network_id) do update set
        status = 'pending', error_code = null, error_message = null, updated_at = excluded.updated_at
    `.execute(trx);
    for (const network of networks)
      context.intend(event, {
        destination: `ad-network:${network}`,
        objectKey: `audience/${segment.segmentId}`,
        desired: {
          kind: 'audience',
          segmentId: segment.segmentId,
          name: segment.name,
          state: segment.state,
          upTo: segment.lastSeq,
        },
      });
    return done;
  },
});
