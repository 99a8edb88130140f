import type { SNSClient } from '@aws-sdk/client-sns';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { Kysely } from 'kysely';
import { createShardLeases } from './outbox-leases.ts';
import { type OutboxAddresses, batchesOf, createPublisher } from './outbox-publish.ts';
import { type Head, type Part, type Refused, markRefused, markSent, readHeads, streams } from './outbox-rows.ts';
import type { Database } from '../core/database/tables.ts';
import type { Clock } from '../core/runtime/clock.ts';
import { newOwner } from '../core/runtime/ids.ts';
import { type Log, onceWhileFailing } from '../core/runtime/log.ts';
import { backoffMs } from '../core/runtime/retry.ts';

/**
 * Publishes the outbox: heads of its shards, never more than one unacknowledged row of a merchant's stream.
 *
 *   idle ──nudge, or the next look──► reading ──heads──► publishing, each destination on its own ──► reading …
 *    ▲                                   └──none──┐
 *    └────────────────────────────────────────────┘
 *
 * A destination is busy while a group of heads is on its way to it and, after a call that failed as a whole, until its
 * backoff is over. Heads for busy destinations are not read, so that a slow queue holds up its own rows only; a merchant
 * whose head goes there waits with it, since what follows must not overtake.
 */
export interface OutboxRelay {
  start(): void;
  /** Waits for what is on its way and gives the shards back. */
  stop(): Promise<void>;
  /** Something was committed to the outbox: look at once. */
  nudge(): void;
  /** The shards that are this relay's now. */
  shards(): readonly number[];
}

export interface OutboxRelayOptions {
  db: Kysely<Database>;
  sqs: SQSClient;
  sns: SNSClient;
  addresses: OutboxAddresses;
  /** What this process is called. */
  worker: string;
  clock: Clock;
  log: Log;
  /** Should outlast the deadline of a call, `sendTimeoutMs`. */
  leaseMs?: number;
  sendTimeoutMs?: number;
  /** About how many heads a read gives, over all shards. */
  headsPerRead?: number;
  idle?: { fromMs: number; toMs: number };
  random?: () => number;
  /** Told of each row that can never be sent. */
  unsendable?: () => void;
  /** Types of events whose bodies are not kept once they are sent. */
  aboutPeople?: readonly string[];
}

const BYTES_PER_READ = 8 * 1_048_576;
const refusedRetry = { retries: Infinity, baseMs: 200, capMs: 30_000 };
const destinationRetry = { retries: Infinity, baseMs: 500, capMs: 30_000 };

interface Destination {
  busy: boolean;
  failures: number;
  notBefore: number;
  trouble: ReturnType<typeof onceWhileFailing>;
}

export function createOutboxRelay(options: OutboxRelayOptions): OutboxRelay {
  const { db, clock, log, random = Math.random, aboutPeople = [] } = options;
  const { leaseMs = 15_000, sendTimeoutMs = 10_000, headsPerRead = 200 } = options;
  const idle = options.idle ?? { fromMs: 200, toMs: 1_000 };
  const publisher = createPublisher({ ...options, timeoutMs: sendTimeoutMs });
  const leases = createShardLeases({ db, owner: newOwner(), worker: options.worker, leaseMs });
  const trouble = onceWhileFailing(log, 'outbox relay');
  const stopping = new AbortController();
  const destinations = new Map<string, Destination>();
  /** What is being published, and from which shards. */
  const underWay = new Map<Promise<void>, readonly number[]>();
  let parts: Part[] = [];
  let tendAt = 0;
  let nudged = false;
  let wakeUp = new AbortController();
  let loops: Promise<unknown> = Promise.resolve();

  const nudge = () => {
    nudged = true;
    wakeUp.abort();
  };

  /** Sleeps until the next look is due; returns at once when something happened since the last one began. */
  const rest = async (ms: number) => {
    wakeUp = new AbortController();
    if (!nudged) await clock.sleep(ms, wakeUp.signal);
    nudged = false;
  };

  const stateOf = (name: string): Destination => {
    const known = destinations.get(name);
    if (known !== undefined) return known;
    const fresh = { busy: false, failures: 0, notBefore: 0, trouble: onceWhileFailing(log, `publishing to ${name}`) };
    destinations.set(name, fresh);
    return fresh;
  };

  const tend = async () => {
    if (clock.now() < tendAt) return;
    await leases.tend(new Set([...underWay.values()].flat()));
    tendAt = clock.now() + leaseMs / 3;
  };

  const ownedParts = (): Part[] => {
    const shards = leases.shards();
    const kept = parts.filter(({ shard }) => shards.includes(shard));
    const fresh = shards.filter((shard) => !kept.some((part) => part.shard === shard));
    parts = [...kept, ...fresh.flatMap((shard) => streams.map((stream) => ({ shard, stream, after: '' })))];
    return parts;
  };

  /** False when there was nothing to do. */
  const look = async (): Promise<boolean> => {
    await tend();
    const now = clock.now();
    const busy = [...destinations].flatMap(([name, { busy, notBefore }]) => (busy || notBefore > now ? [name] : []));
    const owned = ownedParts();
    const headsPerPart = Math.max(4, Math.ceil((headsPerRead * streams.length) / Math.max(1, owned.length)));
    // Not the same shards first every time: large bodies can use up a read before its end.
    parts = [...parts.slice(2), ...parts.slice(0, 2)];
    const { heads, wrapped } = await readHeads(db, owned, busy, { headsPerPart, bytes: BYTES_PER_READ });
    for (const [destination, group] of Map.groupBy(heads, (head) => head.destination)) publish(destination, group);
    if (wrapped) nudge();
    return heads.length > 0;
  };

  const publish = (name: string, group: readonly Head[]) => {
    const destination = stateOf(name);
    destination.busy = true;
    const done = publishGroup(name, destination, group)
      .catch((error: unknown) => trouble.failing(error))
      .finally(() => {
        destination.busy = false;
        underWay.delete(done);
        nudge();
      });
    underWay.set(
      done,
      group.map((head) => head.shard),
    );
  };

  const publishGroup = async (name: string, destination: Destination, group: readonly Head[]) => {
    const sent: Head[] = [];
    const refused: Refused[] = [];
    // A process that was stopped between reading and here may not be the owner any more.
    const owned = new Set(leases.shards());
    const batches = batchesOf(group.filter((head) => owned.has(head.shard)));
    const results = await Promise.allSettled(
      batches.map(async (batch) => {
        const answers = await publisher.publish(name, batch);
        for (const [index, head] of batch.entries()) {
          const answer = answers[index];
          if (answer?.kind === 'sent') sent.push(head);
          else refused.push(refusal(head, answer?.error ?? 'no answer', answer?.kind === 'unsendable'));
        }
      }),
    );
    await markSent(db, leases.owner, sent, aboutPeople);
    await markRefused(db, leases.owner, refused);
    const failure = results.find((result) => result.status === 'rejected');
    if (failure === undefined) {
      destination.failures = 0;
      destination.notBefore = 0;
      destination.trouble.ok();
      return;
    }
    destination.failures += 1;
    destination.notBefore = clock.now() + backoffMs(destination.failures, destinationRetry, random());
    destination.trouble.failing(failure.reason);
  };

  const refusal = (head: Head, error: string, forever: boolean): Refused => {
    if (forever) {
      options.unsendable?.();
      const { merchantId, seq, destination, deduplicationId } = head;
      log.error('outbox row can never be sent', {
        code: 'outbox.unsendable',
        merchantId,
        seq,
        destination,
        deduplicationId,
        error,
      });
    }
    return { head, error, retryInMs: forever ? undefined : backoffMs(head.attempts + 1, refusedRetry, random()) };
  };

  const relay = async () => {
    let pause = idle.fromMs;
    while (!stopping.signal.aborted) {
      let found = false;
      try {
        found = await look();
        trouble.ok();
      } catch (error) {
        trouble.failing(error);
      }
      pause = found ? idle.fromMs : Math.min(idle.toMs, pause * 1.5);
      await rest(pause);
    }
    await Promise.all(underWay.keys());
  };

  /** Beside the relay, so that a slow send does not cost the lease. */
  const keepLeases = async () => {
    while (!stopping.signal.aborted) {
      await clock.sleep(leaseMs / 3, stopping.signal);
      if (stopping.signal.aborted) return;
      // A database that is away is reported by the relay itself; without renewal the shards lapse.
      await leases.renew().catch(() => undefined);
    }
  };

  return {
    nudge,
    shards: () => leases.shards(),
    start() {
      loops = Promise.all([relay(), keepLeases()]);
    },
    async stop() {
      stopping.abort();
      nudge();
      await loops;
      await leases
        .release()
        .catch((error: unknown) => log.warn('outbox shards not given back', { error: String(error) }));
    },
  };
}
