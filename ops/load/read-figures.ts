import { type Kysely, sql } from 'kysely';
import { setTimeout as delay } from 'node:timers/promises';
import { declareIntents } from '../../core/database/intents.ts';
import type { Database } from '../../core/database/tables.ts';
import { dayOf } from '../../core/runtime/clock.ts';
import { newTraceparent } from '../../core/runtime/tracing.ts';

const everyMs = 250;
/** Longer than a call with an unknown outcome waits. */
const patienceMs = 180_000;

/**
 * Has the networks of merchants asked for today's figures of their campaigns and then of their ads, as the schedule would: an ad's
 * are told only after its campaign's. Figures of the day alone, since older ones would change a month that is being closed.
 */
export async function readFigures(
  db: Kysely<Database>,
  merchantIds: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  await ask(db, merchantIds, { objectKey: 'report/recent', kind: 'report' });
  const until = performance.now() + patienceMs;
  while ((await countOpen(db, merchantIds)) > 0) {
    if (performance.now() > until) throw new Error('the figures of campaigns are not read');
    await delay(everyMs, undefined, { signal });
  }
  await ask(db, merchantIds, { objectKey: 'ad-report/recent', kind: 'ad_report' });
}

async function ask(
  db: Kysely<Database>,
  merchantIds: readonly string[],
  { objectKey, kind }: { objectKey: string; kind: string },
): Promise<void> {
  const nowMs = Date.now();
  const { rows } = await sql<{ merchantId: string; network: string }>`
    select distinct merchant_id as "merchantId", ad_network_id as network from ad_object_network_states
    where external_id is not null and merchant_id = any(${merchantIds}::text[])
  `.execute(db);
  const cause = { eventId: `load/${kind}`, eventType: 'AdPerformanceDataIngestedEvent', handler: 'load', mseq: 0 };
  const context = { day: dayOf(nowMs), correlationId: `load-${kind}`, deadlineMs: 60_000 };
  const intents = rows.map(({ merchantId, network }) => ({
    ...{ merchantId, destination: `ad-network:${network}`, objectKey, desired: { kind, days: 1 } },
    ...{ ...cause, ...context, traceparent: newTraceparent() },
  }));
  await db.transaction().execute((trx) => declareIntents(trx, intents, nowMs));
}

async function countOpen(db: Kysely<Database>, merchantIds: readonly string[]): Promise<number> {
  const { rows } = await sql<{ open: number }>`
    select count(*) as open from intents
    where object_key = 'report/recent' and merchant_id = any(${merchantIds}::text[]) and state <> 'done' and state <> 'dead'
  `.execute(db);
  return rows[0]?.open ?? 0;
}
