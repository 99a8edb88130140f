import { DelayedError, type Job, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { type ActDependencies, type LaneEnd, workLane } from './act.ts';
import type { ActivationData, Activations } from './activate.ts';
import { activationWorkerOptions } from './activation-worker.ts';
import { type Lease, holdLease } from './lease.ts';
import { LanewayError, coerceError, isInfrastructureError } from '../core/runtime/errors.ts';
import { type Log, onceWhileFailing } from '../core/runtime/log.ts';
import { activationQueueName } from '../core/runtime/queue-names.ts';

/**
 * The fleet's actors in this process: each takes an activation, works the merchant's lane under the activation's lock as
 * its lease, and ends the activation in one of these ways.
 *
 * active ─► completed   caught up, or the fence was lost, or put back at shutdown
 * active ─► completed, with a new activation behind it    quantum used: to the tail, behind every merchant that waits
 * active ─► delayed     the head of the lane is not due, or infrastructure is away
 *
 * The processor throws nothing but DelayedError: any other throw would fail the activation and leave its merchant asleep.
 */
export interface Actors {
  /** Stops taking activations, lets windows finish, puts back what is left. Resolves when no lane is being worked. */
  stop(graceMs: number): Promise<void>;
  readonly active: number;
}

export interface ActorOptions {
  deps: ActDependencies;
  redis: Redis;
  prefix: string;
  activations: Activations;
  concurrency: number;
  leaseMs: number;
  log: Log;
  /** Reads `lanes.wake`, which a resume raises. */
  readWake(merchantId: string): Promise<number>;
}

const INFRASTRUCTURE_BASE_MS = 250;
const INFRASTRUCTURE_CAP_MS = 10_000;

export function startActors(options: ActorOptions): Actors {
  const { deps, activations, leaseMs, log } = options;
  const stopping = new AbortController();
  /** Fires when the grace of a shutdown is over: transactions in flight are given up. */
  const giveUp = new AbortController();
  const trouble = onceWhileFailing(log, 'lanes');
  let active = 0;

  const visit = async (job: Job<ActivationData>, lease: Lease): Promise<LaneEnd | 'void'> => {
    const { merchantId } = job.data;
    try {
      const end = await workLane(deps, merchantId, {
        careful: job.stalledCounter > 0,
        stop: AbortSignal.any([lease.signal, giveUp.signal]),
        yield: stopping.signal,
      });
      trouble.ok();
      return end;
    } catch (error) {
      if (lease.signal.aborted) return 'void';
      if (giveUp.signal.aborted) {
        log.warn('lane put back by shutdown', { merchantId });
        return { kind: 'yield', events: 0 };
      }
      if (error instanceof LanewayError && error.code === 'fence.lost') {
        log.warn('refused by the fence: another owner has this lane', { merchantId, ...error.detail });
        return 'void';
      }
      if (isInfrastructureError(error)) trouble.failing(error);
      else {
        const unexpected = coerceError(error, 'internal.unexpected');
        log.error('a lane could not be worked, will try again', {
          merchantId,
          error: unexpected.message,
          stack: unexpected.stack,
        });
      }
      const tries = Math.min(job.attemptsStarted, 10);
      const ceiling = Math.min(INFRASTRUCTURE_CAP_MS, INFRASTRUCTURE_BASE_MS * 2 ** tries);
      const until = new Date(deps.clock.now() + Math.round(ceiling * (0.5 + deps.random() / 2)));
      return { kind: 'waiting', events: 0, until, wake: -1 };
    }
  };

  const process = async (job: Job<ActivationData>, token = ''): Promise<void> => {
    const { merchantId } = job.data;
    active += 1;
    using lease = holdLease(job, token, leaseMs, log.child({ merchantId }));
    try {
      const end = await visit(job, lease);
      if (end === 'void') return;
      switch (end.kind) {
        case 'caught-up':
          return;
        case 'yield':
          await activations.wake([merchantId]);
          return;
        case 'waiting':
          if (end.until === undefined) return;
          await suspend(job, token, end.until, end.wake);
          throw new DelayedError();
        default:
          end satisfies never;
      }
    } catch (error) {
      if (error instanceof DelayedError) throw error;
      // Redis refused to put the activation back or away. The sweeper wakes the merchant again.
      trouble.failing(error);
    } finally {
      active -= 1;
    }
  };

  /**
   * Wake-ups that arrive during a suspension are absorbed by it. A resume that came between the window and here would be
   * lost, so the lane's `wake` is read again once the job is delayed.
   */
  const suspend = async (job: Job<ActivationData>, token: string, until: Date, wake: number): Promise<void> => {
    await job.moveToDelayed(Math.max(until.getTime(), deps.clock.now() + 1), token);
    if (wake < 0) return;
    const resumed = await options.readWake(job.data.merchantId).then(
      (current) => current !== wake,
      () => false,
    );
    // Promoting fails when the job was due and is gone already, which is what promoting wants.
    if (resumed) await job.promote().catch(() => undefined);
  };

  const workers = activations.queues.map((_, partition) => {
    const worker = new Worker<ActivationData>(
      activationQueueName(partition),
      process,
      activationWorkerOptions({ ...options, concurrency: options.concurrency / activations.queues.length }),
    );
    worker.on('error', (error) => trouble.failing(error));
    return worker;
  });

  return {
    get active() {
      return active;
    },
    async stop(graceMs) {
      stopping.abort(new Error('shutdown'));
      const timer = setTimeout(() => giveUp.abort(new Error('shutdown')), graceMs);
      timer.unref();
      await Promise.all(workers.map((worker) => worker.close()));
      clearTimeout(timer);
    },
  };
}
