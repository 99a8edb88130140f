import { sql } from 'kysely';
import { connectRedis } from '../../core/clients/redis.ts';
import { generateLoad } from '../load/generate.ts';
import { runOnce } from '../local/once.ts';
import type { Progress } from '../local/progress.ts';
import type { RunningStack } from '../local/stack.ts';

/** Bytes that an event, or a merchant, leaves behind. */
export interface Sizes {
  events: number;
  merchants: number;
  postgresBytesPerEvent: number;
  postgresBytesPerMerchant: number;
  /** Keys of lanes that are left in Redis when nothing is pending. */
  redisKeysAtRest: number;
}

/** Per event, with their indexes; what is there once per merchant is counted apart. */
const perEvent = ['inbox', 'accepted', 'settlements', 'outbox', 'deliveries', 'intents'];
const perMerchant = ['mailbox', 'lanes'];
/** What an index, and room that is free, add to a row: a page of few merchants says nothing about a page of many. */
const ROW_OVERHEAD = 2;

/** Sends a load through a running stack, and looks at what it grew by. */
export async function measureSizes(
  stack: RunningStack,
  load: { events: number; merchants: number; seed: number },
  progress: Progress,
): Promise<Sizes> {
  const redis = connectRedis(stack.describe().redisUrl, 'laneway-scale');
  try {
    const before = await bytesOf(stack, perEvent);
    const { stalled } = await runOnce(stack, load, progress, new AbortController().signal);
    if (stalled) throw new Error('the measured run did not come to rest');
    const merchants = new Set([...generateLoad({ ...load, startMs: 0 })].map(({ merchantId }) => merchantId)).size;
    const grown = (await bytesOf(stack, perEvent)) - before;
    return {
      events: load.events,
      merchants,
      postgresBytesPerEvent: Math.round(grown / load.events),
      postgresBytesPerMerchant: Math.round(ROW_OVERHEAD * (await rowBytesOf(stack, perMerchant))),
      redisKeysAtRest: (await redis.keys('*lane-*')).length,
    };
  } finally {
    redis.disconnect();
  }
}

async function bytesOf({ reader }: RunningStack, tables: readonly string[]): Promise<number> {
  const { rows } = await sql<{ bytes: string }>`
    select coalesce(sum(pg_total_relation_size(c.oid)), 0)::text as bytes
    from pg_class c left join pg_inherits i on i.inhrelid = c.oid left join pg_class p on p.oid = i.inhparent
    where c.relkind = 'r' and coalesce(p.relname, c.relname) = any(${[...tables]}::text[])
  `.execute(reader.db);
  return Number(rows[0]?.bytes ?? 0);
}

async function rowBytesOf({ reader }: RunningStack, tables: readonly string[]): Promise<number> {
  let sum = 0;
  for (const table of tables) {
    const { rows } = await sql<{ bytes: number }>`
      select avg(pg_column_size(t.*))::float8 as bytes from ${sql.table(table)} t
    `.execute(reader.db);
    sum += rows[0]?.bytes ?? 0;
  }
  return sum;
}
