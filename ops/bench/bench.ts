import { connectRedis } from '../../core/clients/redis.ts';
import { type Teardown, createTeardown } from '../local/teardown.ts';
import { describeMachine, describeVersions } from './machine.ts';
import type { BenchOptions } from './options.ts';
import { type PartName, parts } from './parts.ts';
import { type BenchServers, startBenchServers } from './servers.ts';

export interface BenchReport extends Partial<Record<PartName, object>> {
  machine: ReturnType<typeof describeMachine>;
  versions: Record<string, string>;
  /** How durable the stores were. */
  settings: Record<string, string>;
  date: string;
  options: { pairs: number; scale: number };
  /** How long each part took. */
  seconds: Record<string, number>;
}

export type RunOptions = Pick<BenchOptions, 'parts' | 'pairs' | 'scale'>;

/** Runs the chosen parts one after the other on one set of servers, and leaves nothing running, also when it rejects. */
export async function runBench(
  { parts: chosen, pairs, scale }: RunOptions,
  say: (line: string) => void,
  teardown: Teardown = createTeardown(() => undefined),
): Promise<BenchReport> {
  try {
    const servers = await startBenchServers(teardown);
    const report: BenchReport = {
      machine: describeMachine(),
      versions: await readVersions(servers),
      settings: await servers.settings(),
      date: new Date().toISOString().slice(0, 10),
      options: { pairs, scale },
      seconds: {},
    };
    for (const name of chosen) {
      await servers.beginPart();
      const startedAt = performance.now();
      report[name] = await parts[name]({ servers, pairs, scale, say: (line) => say(`${name}: ${line}`) });
      report.seconds[name] = Math.round((performance.now() - startedAt) / 100) / 10;
      say(`${name}: took ${report.seconds[name]} s`);
    }
    return report;
  } finally {
    await teardown.run();
  }
}

async function readVersions(servers: BenchServers): Promise<Record<string, string>> {
  const redis = connectRedis(servers.redisUrl, 'laneway-bench');
  await using database = await servers.createDatabase();
  try {
    return await describeVersions(database.db, redis);
  } finally {
    redis.disconnect();
  }
}
