import { DeleteMessageCommand, ReceiveMessageCommand, type SQSClient, SendMessageCommand } from '@aws-sdk/client-sqs';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../../../core/database/tables.ts';
import { systemClock as clock } from '../../../core/runtime/clock.ts';
import { type BenchContext, scaled, worthTrying } from '../context.ts';
import { createFleet } from '../fleet.ts';
import { type BenchEvent, merchantIds, productEvent, productEvents } from '../load.ts';
import { sendEvents } from '../send-events.ts';
import { assertSettledInOrder, awaitCursors, lastCommitMs } from '../settled.ts';
import { percentile, round } from '../statistics.ts';

const idlePauseMs = 50;
const loads = [10, 30, 50, 70, 90] as const;

/**
 * Publish to commit. On an idle fleet one event at a time, beside what the emulator alone takes from send to a receive
 * that was already waiting; then at shares of the pace that the whole path keeps up with here.
 */
export async function runLatency(context: BenchContext) {
  await using fleet = await createFleet(context.servers);
  const { sqs, queueUrl, database } = fleet;
  await fleet.startWorker({ name: 'worker' });
  const merchants = merchantIds(scaled(context, 200, 5));
  const warmUp = productEvents({ merchants, each: 2, salt: 'warm' });
  await sendEvents(sqs, queueUrl, warmUp);
  await awaitCursors(database.db, warmUp.length);

  const rounds = scaled(context, 200, 5);
  const probe = await fleet.createProbeQueue();
  const emulator: number[] = [];
  const sentAt = new Map<string, number>();
  for (let n = 1; n <= rounds; n++) {
    emulator.push(await probeOnce(sqs, probe, n));
    await clock.sleep(idlePauseMs);
    // A change of a product that is older than what came before it would be superseded.
    const event = productEvent(merchants[n % merchants.length] ?? '', Math.floor(n / merchants.length) + 1, 'idle');
    sentAt.set(event.eventId, now());
    await sendOne(sqs, queueUrl, event);
    await clock.sleep(idlePauseMs);
  }
  await awaitCursors(database.db, warmUp.length + rounds);
  const idle = summary(await latencies(database.db, sentAt));
  const acceptAfter = summary(await untilAccepted(database.db, sentAt));
  const alone = summary(emulator);

  const burst = productEvents({ merchants, each: scaled(context, 20, 2), salt: 'burst' });
  const startedAt = Date.now();
  await sendEvents(sqs, queueUrl, burst);
  await awaitCursors(database.db, warmUp.length + rounds + burst.length);
  const capacity = (burst.length / ((await lastCommitMs(database.db, startedAt)) - startedAt)) * 1_000;
  context.say(`idle p50 ${idle.p50Ms} ms, the emulator alone ${alone.p50Ms} ms; capacity ${round(capacity)}/s`);

  const growth = [];
  let sent = warmUp.length + rounds + burst.length;
  for (const percent of worthTrying(context, loads)) {
    const perSecond = Math.max(1, (capacity * percent) / 100);
    const count = Math.max(5, Math.round(perSecond * Math.max(1, scaled(context, 5))));
    const events = Array.from({ length: count }, (_, n) =>
      productEvent(merchants[n % merchants.length] ?? '', Math.floor(n / merchants.length) + 1, `load${percent}`),
    );
    const at = await sendAtPace(sqs, queueUrl, events, perSecond);
    sent += count;
    await awaitCursors(database.db, sent);
    const figures = summary(await latencies(database.db, at));
    growth.push({ percent, eventsPerSecond: round(perSecond), ...figures });
    context.say(`${percent} % of capacity: p50 ${figures.p50Ms} ms, p99 ${figures.p99Ms} ms`);
  }
  await assertSettledInOrder(database.db, sent);
  return {
    idle,
    /** Of `idle`, the part before the event was taken up to be accepted. */
    untilAccepted: acceptAfter,
    emulator: alone,
    over: { p50Ms: round(idle.p50Ms - alone.p50Ms), p99Ms: round(idle.p99Ms - alone.p99Ms) },
    capacityPerSecond: round(capacity),
    growth,
    events: sent,
  };
}

const now = (): number => performance.timeOrigin + performance.now();

const summary = (values: readonly number[]) => ({
  p50Ms: round(percentile(values, 50)),
  p99Ms: round(percentile(values, 99)),
});

async function sendOne(sqs: SQSClient, queueUrl: string, event: BenchEvent): Promise<void> {
  await sqs.send(
    new SendMessageCommand({
      QueueUrl: queueUrl,
      MessageBody: event.body,
      MessageGroupId: event.merchantId,
      MessageDeduplicationId: event.eventId,
    }),
  );
}

/** Milliseconds from a send to the answer of a receive that was waiting for it. */
async function probeOnce(sqs: SQSClient, queueUrl: string, n: number): Promise<number> {
  const waiting = sqs.send(
    new ReceiveMessageCommand({ QueueUrl: queueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20 }),
  );
  // The receive has to be open before the message comes.
  await clock.sleep(idlePauseMs);
  const event = productEvent(`probe-${n}`, n, 'probe');
  const sentAt = now();
  await sendOne(sqs, queueUrl, event);
  const { Messages = [] } = await waiting;
  const took = now() - sentAt;
  const [message] = Messages;
  if (message === undefined || Messages.length > 1) throw new Error(`the probe received ${Messages.length} messages`);
  // Else it would come again, and be counted for a later one.
  await sqs.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle: message.ReceiptHandle }));
  return took;
}

/** Each event at its own time, whatever became of those before it: a system that falls behind must show it. */
async function sendAtPace(
  sqs: SQSClient,
  queueUrl: string,
  events: readonly BenchEvent[],
  perSecond: number,
): Promise<Map<string, number>> {
  const startedAt = now();
  const sentAt = new Map<string, number>();
  const sends: Promise<void>[] = [];
  for (const [n, event] of events.entries()) {
    const due = startedAt + (n * 1_000) / perSecond;
    const early = due - now();
    if (early > 0) await clock.sleep(early);
    sentAt.set(event.eventId, due);
    sends.push(sendOne(sqs, queueUrl, event));
  }
  await Promise.all(sends);
  return sentAt;
}

/** Milliseconds from the time given for each event until its effect was durable. */
export async function latencies(db: Kysely<Database>, from: ReadonlyMap<string, number>): Promise<number[]> {
  const ids = [...from.keys()];
  const { rows } = await sql<{ id: string; at: number }>`
    select event_id as id, extract(epoch from pg_xact_commit_timestamp(xmin))::float8 * 1000 as at
    from settlements where event_id = any(${ids}::text[])
  `.execute(db);
  return rows.map(({ id, at }) => at - (from.get(id) ?? Number.NaN));
}

/** Milliseconds from the time given for each event until a worker began to accept it. */
async function untilAccepted(db: Kysely<Database>, from: ReadonlyMap<string, number>): Promise<number[]> {
  const ids = [...from.keys()];
  const rows = await db.selectFrom('inbox').select(['event_id', 'received_at']).where('event_id', 'in', ids).execute();
  return rows.map((row) => row.received_at.getTime() - (from.get(row.event_id) ?? Number.NaN));
}
