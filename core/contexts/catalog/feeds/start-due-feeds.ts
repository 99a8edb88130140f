import { type Transaction, sql } from 'kysely';
import { declareIntents } from '../../../database/intents.ts';
import type { Database } from '../../../database/tables.ts';
import { dayOf } from '../../../runtime/clock.ts';
import { newId } from '../../../runtime/ids.ts';
import { newTraceparent } from '../../../runtime/tracing.ts';
import { BUILD_DESTINATION } from './build-driver.ts';
import { submissionDestination } from './submit-driver.ts';
import { readSalesVersions } from '../../promotions/reads.ts';

/**
 * Begins the runs and checks that are due. The row decides, under its lock: whoever comes first moves `due_at` on in the
 * transaction that asks for the run, so that each is asked for once however many processes look, and none is forgotten
 * when nobody looks for a while.
 */
export interface DueFeeds {
  /** What was asked for, by effect lane. */
  lanes: { merchantId: string; destination: string }[];
  /** Where to go on; undefined when everything that is due was looked at. */
  next: string | undefined;
}

const DEADLINE_MS = 60_000;

interface Due {
  merchantId: string;
  feedId: string;
  network: string;
  mode: 'full' | 'delta';
  hasChanges: boolean;
  checkDue: boolean;
  runDue: boolean;
  offersVersion: number;
}

export async function startDueFeeds(
  trx: Transaction<Database>,
  { nowMs, after, limit }: { nowMs: number; after: string; limit: number },
): Promise<DueFeeds> {
  const now = sql`${new Date(nowMs)}::timestamptz`;
  const { rows } = await sql<Due>`
      with due as (
        select merchant_id, feed_id from catalog_feeds
        where state = 'active' and (due_at <= ${now} or check_at <= ${now}) and merchant_id > ${after}
        order by merchant_id, feed_id limit ${limit} for update skip locked
      ), moved as (
        update catalog_feeds f set
          due_at = case when f.due_at <= ${now} then ${now} + f.refresh_minutes * interval '1 minute' else f.due_at end,
          due_mode = case when f.due_at <= ${now} then 'delta' else f.due_mode end,
          check_at = case when f.check_at <= ${now} then null else f.check_at end
        from due, catalog_feeds before
        where f.merchant_id = due.merchant_id and f.feed_id = due.feed_id
          and before.merchant_id = f.merchant_id and before.feed_id = f.feed_id
        returning f.merchant_id, f.feed_id, f.network, before.due_at as was_due_at, before.check_at as was_check_at,
          before.due_mode as was_due_mode, f.last_full_at, f.full_refresh_hours,
          f.offers_version
      )
      select merchant_id as "merchantId", feed_id as "feedId", network,
        coalesce(was_due_at <= ${now}, false) as "runDue", coalesce(was_check_at <= ${now}, false) as "checkDue",
        case when was_due_mode = 'full' or last_full_at is null
          or last_full_at + full_refresh_hours * interval '1 hour' <= ${now} then 'full' else 'delta' end as mode,
        exists (select from feed_changes c where c.merchant_id = moved.merchant_id and c.feed_id = moved.feed_id)
          as "hasChanges", offers_version as "offersVersion"
      from moved order by merchant_id, feed_id
    `.execute(trx);
  const sales = await readSalesVersions(
    trx,
    rows.map(({ merchantId }) => merchantId),
  );
  const intents = rows.flatMap((feed) => {
    const salesChanged = (sales.get(feed.merchantId) ?? 0) !== feed.offersVersion;
    return wanted({ ...feed, hasChanges: feed.hasChanges || salesChanged }, nowMs);
  });
  await declareIntents(trx, intents, nowMs);
  return {
    lanes: intents.map(({ merchantId, destination }) => ({ merchantId, destination })),
    // Further feeds of the last merchant are due a period later.
    next: rows.length === limit ? rows.at(-1)?.merchantId : undefined,
  };
}

function wanted(feed: Due, nowMs: number) {
  const requestId = newId();
  const intent = {
    merchantId: feed.merchantId,
    eventId: requestId,
    eventType: 'ProductCatalogFeedReadyForSubmissionEvent',
    // No event asked for it: mseq 0 is before all that were accepted.
    mseq: 0,
    day: dayOf(nowMs),
    correlationId: requestId,
    traceparent: newTraceparent(),
    deadlineMs: DEADLINE_MS,
  };
  const { feedId, network, mode } = feed;
  const build = {
    ...intent,
    destination: BUILD_DESTINATION,
    objectKey: feedId,
    handler: 'buildProductFeed',
    desired: { mode },
  };
  const check = {
    ...intent,
    destination: submissionDestination(network),
    objectKey: `${feedId}/check`,
    handler: 'checkProductFeed',
    desired: { kind: 'check', feedId },
  };
  return [...(feed.runDue && (mode === 'full' || feed.hasChanges) ? [build] : []), ...(feed.checkDue ? [check] : [])];
}
