import { sql } from 'kysely';
import { type Outcome, defineHandler, done, skip } from '../../../events/handler.ts';
import type { ProductCatalogFeedReadyForSubmission } from '../events.ts';
import { submissionDestination } from './submit-driver.ts';

/**
 * Asks for each part of a run to be submitted. Parts are objects of their own, so that one that is refused holds up no other;
 * what an older run still has to say about an item that a newer one carries is left out when its part is sent.
 */
export const submitProductCatalogFeed = defineHandler<ProductCatalogFeedReadyForSubmission>({
  async handle(event, context): Promise<Outcome> {
    const { merchantId, payload } = event;
    const { feedId, feedRun } = payload;
    const { rows } = await sql<{ network: string; parts: number }>`
      update feed_runs r set state = 'submitted'
      from catalog_feeds f
      where r.merchant_id = ${merchantId} and r.feed_id = ${feedId} and r.run = ${feedRun} and r.state = 'ready'
        and f.merchant_id = r.merchant_id and f.feed_id = r.feed_id and f.state = 'active'
      returning f.network, r.parts
    `.execute(context.trx);
    const [run] = rows;
    if (run === undefined) return skip(`run ${feedRun} of feed ${feedId} is not waiting to be submitted`);
    for (let part = 1; part <= run.parts; part++)
      context.intend(event, {
        destination: submissionDestination(run.network),
        objectKey: `${feedId}/${feedRun}/${part}`,
        desired: { kind: 'part', feedId, run: feedRun, part },
      });
    return done;
  },
});
