import { type DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { GetObjectCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import type { Redis } from 'ioredis';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../database/tables.ts';

/** Tables in which a text is found, as text or inside bytes. */
export async function searchPostgres(db: Kysely<Database>, text: string): Promise<string[]> {
  const { rows: tables } = await sql<{ name: string }>`
    select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind = 'r' order by 1
  `.execute(db);
  const hex = Buffer.from(text, 'utf8').toString('hex');
  const found: string[] = [];
  for (const { name } of tables) {
    const { rows } = await sql<{ n: number }>`
      select count(*) as n from ${sql.table(name)} t
      where strpos(to_jsonb(t)::text, ${text}) > 0 or strpos(to_jsonb(t)::text, ${hex}) > 0
    `.execute(db);
    if ((rows[0]?.n ?? 0) > 0) found.push(name);
  }
  return found;
}

/** Keys under a prefix that hold a text, in their names or values. */
export async function searchRedis(redis: Redis, prefix: string, text: string): Promise<string[]> {
  const found: string[] = [];
  for (const key of await redis.keys(`${prefix}:*`)) {
    const value = JSON.stringify(await readKey(redis, key));
    if (key.includes(text) || value.includes(text)) found.push(key);
  }
  return found;
}

async function readKey(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key);
  switch (type) {
    case 'string':
      return await redis.get(key);
    case 'hash':
      return await redis.hgetall(key);
    case 'list':
      return await redis.lrange(key, 0, -1);
    case 'set':
      return await redis.smembers(key);
    case 'zset':
      return await redis.zrange(key, '0', '-1');
    case 'stream':
      return await redis.xrange(key, '-', '+');
    case 'none':
      return undefined;
    default:
      throw new Error(`${key} is a ${type}, which this search cannot read`);
  }
}

export async function searchDynamo(
  dynamodb: DynamoDBClient,
  tables: readonly string[],
  text: string,
): Promise<string[]> {
  const found: string[] = [];
  const base64 = Buffer.from(text, 'utf8').toString('base64');
  for (const TableName of tables) {
    const { Items = [], LastEvaluatedKey } = await dynamodb.send(new ScanCommand({ TableName }));
    if (LastEvaluatedKey !== undefined) throw new Error(`${TableName} has more than one page`);
    const all = JSON.stringify(Items, (_, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
    );
    if (all.includes(text) || all.includes(base64)) found.push(TableName);
  }
  return found;
}

export async function searchS3(s3: S3Client, buckets: readonly string[], text: string): Promise<string[]> {
  const found: string[] = [];
  for (const Bucket of buckets) {
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket }));
    for (const { Key } of Contents) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
      if ((await Body?.transformToString('latin1'))?.includes(text) === true) found.push(`${Bucket}/${Key ?? ''}`);
    }
  }
  return found;
}
