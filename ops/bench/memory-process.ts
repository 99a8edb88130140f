import { systemClock as clock } from '../../core/runtime/clock.ts';
import { exitWithParent } from '../local/child-process.ts';
import { merchantIds, productEvents } from './load.ts';
import { createOurs, toAcceptable } from './ours.ts';
import { awaitCursors } from './settled.ts';

/**
 * Accepts and works one event of every merchant, round by round, and prints the bytes of heap that are in use after each,
 * as a JSON list. Needs `--expose-gc`. It ends itself with exit code 1 when its parent is gone.
 */
const setting = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
};

exitWithParent(() => process.exit(1));
const merchants = Number(setting('MERCHANTS'));
const rounds = Number(setting('ROUNDS'));
const atOnce = 500;
const heaps: number[] = [];
{
  await using ours = await createOurs({
    postgresUrl: setting('POSTGRES_URL'),
    redisUrl: setting('REDIS_URL'),
    stack: 'memory',
  });
  ours.start();
  const ids = merchantIds(merchants);
  for (let round = 1; round <= rounds; round++) {
    for (let at = 0; at < ids.length; at += atOnce) {
      const events = productEvents({ merchants: ids.slice(at, at + atOnce), each: 1, salt: `round${round}` });
      await ours.accept(events.map((event) => toAcceptable(event, ours.config.bodyHmacKey)));
    }
    await awaitCursors(ours.db, round * merchants, { stallMs: 120_000 });
    // What follows a commit unwaited for, such as trims, ends before the heap is read.
    await clock.sleep(500);
    globalThis.gc?.();
    globalThis.gc?.();
    heaps.push(process.memoryUsage().heapUsed);
    process.stderr.write(`round ${round}: ${Math.round((heaps.at(-1) ?? 0) / 1_024)} KiB\n`);
  }
}
process.stdout.write(JSON.stringify(heaps));
process.exit(0);
