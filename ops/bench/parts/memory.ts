import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connectRedis } from '../../../core/clients/redis.ts';
import { inheritedEnvironment } from '../../local/process-environment.ts';
import { type BenchContext, scaled } from '../context.ts';
import { assertSettledInOrder } from '../settled.ts';
import { round } from '../statistics.ts';

const rounds = 5;
const deadlineMs = 1_800_000;

/**
 * The heap of a process after each of five rounds in which it accepts and works an event of each of 100,000 merchants,
 * garbage collected. What grows with merchants, or with time, shows as growth from round to round.
 */
export async function runMemory(context: BenchContext) {
  const { servers, say } = context;
  const merchants = scaled(context, 100_000, 100);
  const redis = connectRedis(servers.redisUrl, 'laneway-bench');
  await redis.flushall();
  redis.disconnect();
  await using database = await servers.createDatabase();
  const child = spawn(process.execPath, ['--expose-gc', join(import.meta.dirname, '../memory-process.ts')], {
    // Its standard input ends with this process, and it then ends too.
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...inheritedEnvironment(),
      MERCHANTS: String(merchants),
      ROUNDS: String(rounds),
      POSTGRES_URL: database.url,
      REDIS_URL: servers.redisUrl,
    },
    timeout: deadlineMs,
    killSignal: 'SIGKILL',
  });
  child.stderr.setEncoding('utf8').on('data', (lines: string) => say(lines.trimEnd()));
  const [output] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  if (child.exitCode !== 0) throw new Error(`the measured process ended with ${child.exitCode ?? child.signalCode}`);
  await assertSettledInOrder(database.db, rounds * merchants);
  // Printed by our own program: a list of numbers.
  const heaps = JSON.parse(output) as number[];
  const [first = Number.NaN] = heaps;
  return {
    merchants,
    heapMbAfterRound: heaps.map((bytes) => round(bytes / 2 ** 20)),
    /** The last round's heap divided by the first one's. */
    ratios: {
      lastToFirst: round((heaps.at(-1) ?? Number.NaN) / first),
      largestToFirst: round(Math.max(...heaps) / first),
    },
  };
}
