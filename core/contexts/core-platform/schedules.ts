import { type Transaction, sql } from 'kysely';
import { IMPORT_DESTINATION } from './import-driver.ts';
import { PULL_DESTINATION } from './pull-driver.ts';
import { declareIntents } from '../../database/intents.ts';
import type { Database } from '../../database/tables.ts';
import { dayOf } from '../../runtime/clock.ts';
import { newTraceparent } from '../../runtime/tracing.ts';
import type { ScheduledJob, ScheduledTurn } from '../../schedules/definition.ts';
import { productCoreDataUpdatedEvent } from '../catalog/events.ts';

const DEADLINE_MS = 60_000;

const intentOf = (name: string, destination: string, merchantId: string, objectKey: string, nowMs: number) => ({
  merchantId,
  destination,
  objectKey,
  eventId: `${name}/${objectKey}`,
  eventType: productCoreDataUpdatedEvent.name,
  handler: name,
  mseq: 0,
  day: dayOf(nowMs),
  correlationId: `${name}:${merchantId}:${objectKey}`,
  traceparent: newTraceparent(),
  deadlineMs: DEADLINE_MS,
});

async function startImports(trx: Transaction<Database>, { after, limit, nowMs }: ScheduledTurn) {
  const { rows } = await sql<{ merchantId: string; importId: string }>`
    update product_imports i set state = 'running', updated_at = ${new Date(nowMs)}::timestamptz
    from (
      select merchant_id, import_id from product_imports where state = 'ready' and merchant_id in (
        select distinct merchant_id from product_imports where state = 'ready' and merchant_id > ${after}
        order by merchant_id limit ${limit})
      order by merchant_id, import_id for update
    ) as due
    where i.merchant_id = due.merchant_id and i.import_id = due.import_id
    returning i.merchant_id as "merchantId", i.import_id as "importId"
  `.execute(trx);
  const name = 'core_platform.start_imports';
  const intents = rows.map(({ merchantId, importId }) => ({
    ...intentOf(name, IMPORT_DESTINATION, merchantId, importId, nowMs),
    desired: { part: 0 },
  }));
  await declareIntents(trx, intents, nowMs);
  const merchants = new Set(rows.map(({ merchantId }) => merchantId));
  return { events: [], next: merchants.size < limit ? undefined : [...merchants].toSorted().at(-1) };
}

async function pullProducts(trx: Transaction<Database>, { period, after, limit, nowMs }: ScheduledTurn) {
  const rows = await trx
    .selectFrom('product_pulls')
    .select('merchant_id as merchantId')
    .where('enabled', '=', true)
    .where('merchant_id', '>', after)
    .orderBy('merchant_id')
    .limit(limit)
    .execute();
  const at = new Date(period.startMs).toISOString();
  const intents = rows.map(({ merchantId }) => ({
    ...intentOf('core_platform.pull_products', PULL_DESTINATION, merchantId, 'changes', nowMs),
    desired: { period: at },
  }));
  await declareIntents(trx, intents, nowMs);
  return { events: [], next: rows.length < limit ? undefined : rows.at(-1)?.merchantId };
}

export const corePlatformJobs: readonly ScheduledJob[] = [
  {
    name: 'core_platform.start_imports',
    description: 'Begins to work the imports of products that merchants have uploaded.',
    timing: { everyMs: 5_000 },
    missed: 'skip',
    due: startImports,
  },
  {
    name: 'core_platform.pull_products',
    description: 'Pulls the changes of products from the core platform.',
    timing: { everyMs: 300_000 },
    // The cursor knows what was missed.
    missed: 'skip',
    due: pullProducts,
  },
];
