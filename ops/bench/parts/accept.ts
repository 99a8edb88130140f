import type { SQSClient } from '@aws-sdk/client-sqs';
import type { S3Client } from '@aws-sdk/client-s3';
import { connectRedis } from '../../../core/clients/redis.ts';
import { topologyOf } from '../../../core/events/topology.ts';
import { systemClock as clock } from '../../../core/runtime/clock.ts';
import { silentLog } from '../../../core/runtime/log.ts';
import { createAcceptBatches } from '../../../workers/accept-batch.ts';
import { acceptBatch } from '../../../workers/accept.ts';
import { createPipeline } from '../../../workers/pipeline.ts';
import { createWakeBatches } from '../../../workers/wake-batches.ts';
import { type BenchContext, scaled, worthTrying } from '../context.ts';
import { bestOf, holdContest, judgeContest } from '../contest.ts';
import { type BenchEvent, benchRegistry, merchantIds, productEvents } from '../load.ts';
import { createOurs } from '../ours.ts';
import { runBullmqAddBulk } from '../peers/bullmq-unordered.ts';
import { assertAccepted } from '../settled.ts';
import { warmUpIntake } from '../warm-up.ts';

/** As many messages as the product's poller has in flight at most, in batches as SQS hands them over. */
const messagesInFlight = 800;
const receiveSize = 10;

/**
 * From a received batch to inbox rows, pointers and activations, the queue and the long memory left out: SQS answers every
 * delete at once. Beside it BullMQ adding the same bodies to one queue, 100 at a time.
 */
export async function runAccept(context: BenchContext) {
  const { servers, say, pairs } = context;
  const { redisUrl } = servers;
  const events = productEvents({ merchants: merchantIds(scaled(context, 1_000, 20)), each: 20 });
  const jobs = events.map(({ merchantId, body }) => ({ merchantId, data: JSON.parse(body) as object }));
  const sample = Math.max(receiveSize, Math.floor(events.length / 4));
  // Each time that addBulk is tried, ours runs as well: code that has run as often is compiled as well.
  const best = await bestOf(worthTrying(context, [4, 1, 2, 8]), async (concurrency) => {
    await runOurs(context, events.slice(0, sample));
    return await runBullmqAddBulk({ redisUrl, jobs: jobs.slice(0, sample), concurrency });
  });
  say(`addBulk at ${best.setting} batches in flight`);
  const rounds = await holdContest({
    pairs,
    say,
    contenders: {
      ours: () => runOurs(context, events),
      bullmqAddBulk: () => runBullmqAddBulk({ redisUrl, jobs, concurrency: best.setting }),
    },
  });
  const { medians, ...judged } = judgeContest(rounds);
  return { ...medians, ...judged, pairs, events: events.length, tried: { bullmqAddBulk: best.tried } };
}

async function runOurs(context: BenchContext, events: readonly BenchEvent[]): Promise<number> {
  const { servers } = context;
  const redis = connectRedis(servers.redisUrl, 'laneway-bench');
  await redis.flushall();
  redis.disconnect();
  await using database = await servers.createDatabase();
  await using ours = await createOurs({ postgresUrl: database.url, redisUrl: servers.redisUrl, stack: 'bench' });
  const [queue] = topologyOf(benchRegistry, 'bench').queues;
  if (queue === undefined) throw new Error('the bench registry has no queue');
  const batches = createAcceptBatches({ run: (batch) => acceptBatch(ours.intakeDb, batch, { clock }), clock });
  const pipeline = createPipeline({
    queue,
    queueUrl: 'queue',
    deadLetterUrl: 'dead-letters',
    registry: benchRegistry,
    db: ours.intakeDb,
    sqs: deletesAtOnce,
    s3: unused,
    bucket: 'unused',
    hmacKey: ours.config.bodyHmacKey,
    admit: batches.accept,
    wake: createWakeBatches({
      wake: async (entries) => {
        await ours.wake(entries);
        return entries.map((entry) => entry.merchantId);
      },
    }),
    random: Math.random,
    clock,
    log: silentLog,
  });
  const before = await warmUpIntake(context, ours);
  const messages = events.map(({ eventId, merchantId, body }) => ({
    MessageId: eventId,
    ReceiptHandle: eventId,
    Body: body,
    Attributes: { MessageGroupId: merchantId, ApproximateReceiveCount: '1' },
  }));
  let next = 0;
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: messagesInFlight / receiveSize }, async () => {
      while (next < messages.length) {
        const batch = messages.slice(next, next + receiveSize);
        next += receiveSize;
        const { accepted } = await pipeline.handleBatch(batch);
        if (accepted !== batch.length) throw new Error(`${accepted} of ${batch.length} were accepted`);
      }
    }),
  );
  const rate = (messages.length / (performance.now() - startedAt)) * 1_000;
  await assertAccepted(database.db, before + messages.length);
  return rate;
}

/** Stands for a queue that is not measured here: it agrees to every delete. A stub has only what the pipeline calls. */
const deletesAtOnce = {
  send: ({ input }: { input: { Entries?: { Id: string }[] } }) =>
    Promise.resolve({ Successful: (input.Entries ?? []).map(({ Id }) => ({ Id })), Failed: [] }),
} as unknown as SQSClient;

/** No body of the load is too large for its message. */
const unused = {} as S3Client;
