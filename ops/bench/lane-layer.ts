import { connectRedis } from '../../core/clients/redis.ts';
import { systemClock as clock } from '../../core/runtime/clock.ts';
import { silentLog } from '../../core/runtime/log.ts';
import { createActivations } from '../../workers/activate.ts';
import type { Activation, ActivationEnd } from '../../workers/activation-queue.ts';
import { createLanes } from '../../workers/lanes.ts';
import { type QueueRates, type QueueRun, queueRates } from './peers/bullmq-unordered.ts';

const prefix = 'bench';
const acceptedAtOnce = 100;
const windowEvents = 50;
const leaseMs = 30_000;
const claimedAtOnce = 32;

/**
 * What the product does in Redis, without Postgres: pointers and activations in, then for each activation the head of the
 * lane is read and trimmed, window by window, by as many actors as `concurrency` says.
 */
export async function runLaneLayer({ redisUrl, jobs, concurrency }: QueueRun): Promise<QueueRates> {
  const redis = connectRedis(redisUrl, 'lane-layer');
  await redis.flushall();
  const lanes = createLanes({ redis, prefix, cap: 1_000, clock, log: silentLog });
  const activations = createActivations({ redis, prefix, partitions: 1, worker: 'bench', leaseMs, clock });
  const turns = new Map<string, number>();
  const startedAt = performance.now();
  for (let at = 0; at < jobs.length; at += acceptedAtOnce) {
    const byMerchant = Map.groupBy(jobs.slice(at, at + acceptedAtOnce), ({ merchantId }) => merchantId);
    const entries = [...byMerchant].map(([merchantId, own]) => {
      const first = (turns.get(merchantId) ?? 0) + 1;
      turns.set(merchantId, first + own.length - 1);
      const pointers = own.map((_, i) => ({ mseq: first + i, type: 'event', correlationId: `c-${first + i}` }));
      return { merchantId, pointers, backlog: first + own.length - 1 };
    });
    await lanes.addPointers(entries);
    await activations.wake(entries.map(({ merchantId }) => merchantId));
  }
  const enqueueMs = performance.now() - startedAt;

  const reached = new Map<string, number>();
  let done = 0;
  let inversions = 0;
  const queue = activations.queues[0];
  if (queue === undefined) throw new Error('there is a partition');
  const drainedFrom = performance.now();
  /** Claims lanes, works a window of each, hands back those that are through, and goes on with the rest. */
  const actor = async () => {
    let held: Activation[] = [];
    let ends: ActivationEnd[] = [];
    while (done < jobs.length || ends.length > 0) {
      const claim = { room: claimedAtOnce - held.length, leaseMs, nowMs: clock.now() };
      held.push(...(await queue.exchange(ends, claim)).claimed);
      ends = [];
      if (held.length === 0) return;
      const heads = await lanes.peek(
        held.map(({ merchantId }) => merchantId),
        windowEvents,
      );
      const left: Activation[] = [];
      for (const [i, activation] of held.entries()) {
        const { merchantId } = activation;
        const head = heads[i] ?? [];
        for (const { mseq } of head) {
          if (mseq !== (reached.get(merchantId) ?? 0) + 1) inversions += 1;
          reached.set(merchantId, mseq);
        }
        done += head.length;
        if (head.length < windowEvents) ends.push({ activation, action: 'done' });
        else left.push(activation);
      }
      await lanes.trim(held.map(({ merchantId }) => ({ merchantId, cursor: reached.get(merchantId) ?? 0 })));
      held = left;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, actor));
  const drainMs = performance.now() - drainedFrom;
  const left = await redis.keys(`${prefix}:lane-*`);
  await activations.close();
  redis.disconnect();
  if (inversions > 0 || left.length > 0)
    throw new Error(`wrong result, so no figure: ${inversions} out of order, ${left.length} keys of lanes left`);
  return queueRates(jobs.length, enqueueMs, drainMs);
}
