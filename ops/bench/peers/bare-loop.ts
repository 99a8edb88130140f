import { type Kysely, sql } from 'kysely';
import type pg from 'pg';
import { connectPostgres } from '../../../core/clients/postgres.ts';
import type { Database } from '../../../core/database/tables.ts';
import type { BenchEvent } from '../load.ts';

/** One event as a careful program without a queue would read it: parsed, and trusted beyond that. */
interface Parsed {
  merchantId: string;
  eventId: string;
  payload: { productId: string; timestamp: string; changedAttributes: Record<string, unknown> };
}

const remember = {
  name: 'bare-loop-remember',
  text: 'insert into seen (merchant_id, event_id) values ($1, $2) on conflict do nothing',
};
const keep = {
  name: 'bare-loop-keep',
  text: `insert into products as product (merchant_id, product_id, title, price_minor, currency, availability,
      attributes, source_at, revision, updated_at)
    values ($1, $2, $3::jsonb ->> 'title', ($3::jsonb ->> 'priceMinor')::bigint, $3::jsonb ->> 'currency',
      $3::jsonb ->> 'availability', $3::jsonb, $4, 1, now())
    on conflict (merchant_id, product_id) do update set
      title = coalesce(excluded.title, product.title),
      price_minor = coalesce(excluded.price_minor, product.price_minor),
      currency = coalesce(excluded.currency, product.currency),
      availability = coalesce(excluded.availability, product.availability),
      attributes = product.attributes || excluded.attributes,
      source_at = excluded.source_at,
      revision = product.revision + 1,
      updated_at = excluded.updated_at
    where product.source_at <= excluded.source_at`,
};

export const createSeen = (db: Kysely<Database>) =>
  sql`create table seen (merchant_id text collate "C", event_id text collate "C", primary key (merchant_id, event_id))`.execute(
    db,
  );

/** One transaction for one event: remember its id, and only when it is new write the product. Statements are prepared. */
export async function applyInTransaction(client: pg.PoolClient, body: string): Promise<void> {
  // The load is our own: the same bytes that the engine validates.
  const event = JSON.parse(body) as Parsed;
  await client.query('begin');
  try {
    const { rowCount } = await client.query({ ...remember, values: [event.merchantId, event.eventId] });
    if (rowCount === 1) {
      const { productId, timestamp, changedAttributes } = event.payload;
      await client.query({
        ...keep,
        values: [event.merchantId, productId, JSON.stringify(changedAttributes), timestamp],
      });
    }
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

interface BareLoop {
  database: { url: string; db: Kysely<Database> };
  events: readonly BenchEvent[];
  warmUp: readonly (readonly BenchEvent[])[];
  concurrency: number;
}

/**
 * The least program that applies events once and in order: no queue, no fence, no retry, the events already in memory. As
 * many merchants at a time as it has connections, each merchant's events one after the other, after the rounds that warm its
 * connections up. Returns events per second.
 */
export async function runBareLoop({ database, events, warmUp, concurrency }: BareLoop): Promise<number> {
  await createSeen(database.db);
  const postgres = connectPostgres({
    url: database.url,
    poolSize: concurrency,
    applicationName: 'bare-loop',
    statementTimeoutMs: 60_000,
    idleInTransactionTimeoutMs: 60_000,
  });
  const clients = await Promise.all(Array.from({ length: concurrency }, () => postgres.pool.connect()));
  const work = async (some: readonly BenchEvent[]) => {
    const merchants = [...Map.groupBy(some, (event) => event.merchantId).values()];
    let next = 0;
    await Promise.all(
      clients.map(async (client) => {
        for (let own = merchants[next++]; own !== undefined; own = merchants[next++]) {
          for (const { body } of own) await applyInTransaction(client, body);
        }
      }),
    );
  };
  for (const round of warmUp) await work(round);
  const startedAt = performance.now();
  await work(events);
  const seconds = (performance.now() - startedAt) / 1_000;
  for (const client of clients) client.release();
  await postgres.close();
  await assertApplied(database.db, events.length + warmUp.flat().length);
  return events.length / seconds;
}

/** Throws unless every event was applied once. */
export async function assertApplied(db: Kysely<Database>, count: number): Promise<void> {
  const { rows } = await sql<{ seen: number; applied: number }>`
    select (select count(*) from seen) as seen, (select coalesce(sum(revision), 0)::bigint from products) as applied
  `.execute(db);
  if (rows[0]?.seen !== count || rows[0].applied !== count)
    throw new Error(`wrong result, so no figure: ${JSON.stringify(rows[0])} of ${count} events`);
}
