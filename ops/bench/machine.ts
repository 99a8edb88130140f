import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { type Kysely, sql } from 'kysely';
import type { Redis } from 'ioredis';
import type { Database } from '../../core/database/tables.ts';

/** Nothing that names the machine: only what figures depend on. */
export const describeMachine = () => ({
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: cpus().length,
  memoryGb: Math.round(totalmem() / 2 ** 30),
  platform: `${process.platform} ${process.arch}`,
});

const measured = ['bullmq', 'groupmq', 'ioredis', 'pg', 'kysely', 'sqs-consumer', '@aws-sdk/client-sqs', 'fauxqs'];

export async function describeVersions(db: Kysely<Database>, redis: Redis): Promise<Record<string, string>> {
  const { rows } = await sql<{ server_version: string }>`show server_version`.execute(db);
  const redisVersion = /redis_version:(\S+)/.exec(await redis.info('server'))?.[1] ?? 'unknown';
  return {
    node: process.versions.node,
    postgres: rows[0]?.server_version ?? 'unknown',
    redis: redisVersion,
    ...Object.fromEntries(measured.map((name) => [name, versionOf(name)])),
  };
}

function versionOf(name: string): string {
  const manifest: unknown = JSON.parse(
    readFileSync(join(import.meta.dirname, '../../node_modules', name, 'package.json'), 'utf8'),
  );
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
}
