import { Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Kysely } from 'kysely';
import { runPage } from './run-scheduled.ts';
import type { Database } from '../core/database/tables.ts';
import type { Registry } from '../core/events/registry.ts';
import type { Clock } from '../core/runtime/clock.ts';
import { type Log, onceWhileFailing } from '../core/runtime/log.ts';
import { scheduleQueueName } from '../core/runtime/queue-names.ts';
import type { ScheduledJob } from '../core/schedules/definition.ts';
import { periodAt } from '../core/schedules/periods.ts';
import type { Schedules } from '../core/schedules/schedules.ts';

/**
 * Makes scheduled jobs happen. BullMQ's job schedulers wake one worker when a period begins; what is due is decided in
 * Postgres alone (run-scheduled.ts), so that a wake-up too many does nothing. A wake-up too few is made good by a refresh now
 * and then, which also makes again the schedulers that Redis has lost.
 */
export interface Scheduler {
  start(): void;
  stop(): Promise<void>;
  /** Looks at every job and makes missing schedulers. Rejects when Redis is away, after the jobs were worked. */
  refresh(): Promise<void>;
}

export interface SchedulerOptions {
  db: Kysely<Database>;
  redis: Redis;
  prefix: string;
  schedules: Schedules;
  registry: Registry;
  clock: Clock;
  log: Log;
  /** Called when events lie in the outbox. */
  emitted: () => void;
  refreshMs: number;
}

/** A job that has more pages than this goes on at the next refresh: it shall not keep others from their turn. */
const PAGES_PER_TURN = 2_000;

export function createScheduler(options: SchedulerOptions): Scheduler {
  const { db, redis, prefix, schedules, registry, clock, log } = options;
  const name = scheduleQueueName;
  const stopping = new AbortController();
  const refreshing = onceWhileFailing(log, 'schedules');
  const troubles = new Map([...schedules.keys()].map((job) => [job, onceWhileFailing(log, `scheduled job ${job}`)]));
  const queue = new Queue(name, { connection: redis, prefix });
  // Redis being away is told by the refresh; unheard, the event would end the process.
  queue.on('error', () => undefined);
  let worker: Worker | undefined;
  let loop: Promise<void> = Promise.resolve();

  const work = async (job: ScheduledJob): Promise<void> => {
    const trouble = troubles.get(job.name);
    let events = 0;
    try {
      for (let pages = 0; pages < PAGES_PER_TURN && !stopping.signal.aborted; pages++) {
        const result = await runPage(db, registry, job, clock.now());
        if (result.kind !== 'page') break;
        if (result.events > 0) options.emitted();
        events += result.events;
      }
      trouble?.ok();
    } catch (error) {
      trouble?.failing(error);
    }
    if (events > 0) log.info('scheduled events emitted', { job: job.name, events });
  };

  const makeSchedulers = async (): Promise<void> => {
    const present = new Map((await queue.getJobSchedulers(0, -1)).map((each) => [each.key, each]));
    for (const job of schedules.values()) {
      const known = present.get(job.name);
      present.delete(job.name);
      const same =
        'everyMs' in job.timing
          ? known?.every === job.timing.everyMs
          : known?.pattern === job.timing.cron && known.tz === job.timing.zone;
      if (same) continue;
      await queue.upsertJobScheduler(job.name, repeatOf(job, clock.now()), {
        name: job.name,
        opts: { removeOnComplete: true, removeOnFail: true },
      });
    }
    // Of an earlier release. Old and new releases run side by side for a while: the older one makes it again.
    for (const gone of present.keys()) await queue.removeJobScheduler(gone);
  };

  const refresh: Scheduler['refresh'] = async () => {
    for (const job of schedules.values()) {
      if (stopping.signal.aborted) return;
      await work(job);
    }
    await makeSchedulers();
  };

  const run = async () => {
    while (!stopping.signal.aborted) {
      try {
        await refresh();
        refreshing.ok();
      } catch (error) {
        refreshing.failing(error);
      }
      await clock.sleep(options.refreshMs, stopping.signal);
    }
  };

  return {
    refresh,
    start() {
      worker = new Worker(
        name,
        async ({ name: jobName }) => {
          const job = schedules.get(jobName);
          if (job !== undefined) await work(job);
        },
        { connection: redis, prefix, concurrency: 4, removeOnComplete: { count: 0 }, removeOnFail: { count: 0 } },
      );
      worker.on('error', () => undefined);
      loop = run();
    },
    async stop() {
      stopping.abort();
      await loop;
      await worker?.close();
      await queue.close();
    },
  };
}

/** Aligned with the periods, so that a wake-up comes when one begins. */
const repeatOf = ({ timing }: ScheduledJob, nowMs: number) =>
  'everyMs' in timing
    ? { every: timing.everyMs, startDate: periodAt(timing, nowMs).endMs }
    : { pattern: timing.cron, tz: timing.zone };
