import { DAY_MS } from '../../runtime/clock.ts';
import { type Outcome, type HandlerContext, snooze } from '../../events/handler.ts';
import type { LanewayEvent } from '../../events/envelope.ts';
import { LanewayError } from '../../runtime/errors.ts';
import type { CampaignStateChangeRequested } from '../campaigns/events.ts';
import { findMissingProducts } from '../catalog/reads.ts';

/** For this long a command waits for a product that is not known yet, behind its campaign and nobody else. */
const PATIENCE_MS = 600_000;
const SHORTEST_MS = 1_000;
const LONGEST_MS = 30_000;
const FORGET_AFTER_MS = 7 * DAY_MS;

/**
 * A campaign is not activated before the catalog has its products. Answers with the wait, or with undefined when there is
 * nothing to wait for; throws `catalog.product_missing` when it has waited long enough. A wait is measured from the first
 * look at the command, so that one that lay in a backlog has its whole time.
 */
export async function waitForProducts(
  { merchantId, eventId, payload }: LanewayEvent<CampaignStateChangeRequested>,
  { trx, now }: HandlerContext,
): Promise<Outcome | undefined> {
  const wanted = payload.campaignParametersForSync?.productIds ?? [];
  if (payload.requestedState !== 'active' || wanted.length === 0) return undefined;
  const missing = await findMissingProducts(trx, merchantId, [...new Set(wanted)]);
  const wait = await trx
    .selectFrom('campaign_product_waits')
    .select('since')
    .where('merchant_id', '=', merchantId)
    .where('event_id', '=', eventId)
    .executeTakeFirst();
  if (missing.length === 0) {
    if (wait !== undefined)
      await trx
        .deleteFrom('campaign_product_waits')
        .where('merchant_id', '=', merchantId)
        // Those of commands that gave up are of no use either.
        .where((where) =>
          where.or([where('event_id', '=', eventId), where('since', '<', new Date(now - FORGET_AFTER_MS))]),
        )
        .execute();
    return undefined;
  }
  const waitedMs = now - (wait?.since.getTime() ?? now);
  const named = missing.slice(0, 5).join(', ');
  if (waitedMs >= PATIENCE_MS)
    throw new LanewayError('catalog.product_missing', `the catalog has no product ${named}, ${missing.length} in all`);
  if (wait === undefined)
    await trx
      .insertInto('campaign_product_waits')
      .values({ merchant_id: merchantId, event_id: eventId, since: new Date(now) })
      .execute();
  const delayMs = Math.min(LONGEST_MS, PATIENCE_MS - waitedMs, Math.max(SHORTEST_MS, Math.round(waitedMs / 2)));
  return snooze(delayMs, `waits for product ${named}`);
}
