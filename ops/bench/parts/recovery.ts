import { type Kysely, sql } from 'kysely';
import type { Database } from '../../../core/database/tables.ts';
import { systemClock as clock } from '../../../core/runtime/clock.ts';
import { type BenchContext, scaled } from '../context.ts';
import { createFleet } from '../fleet.ts';
import { merchantIds, productEvent } from '../load.ts';
import { type Ours, createOurs, toAcceptable } from '../ours.ts';
import { assertSettledInOrder, awaitCursors } from '../settled.ts';
import { round, roundSpread, spreadOf } from '../statistics.ts';

const productionLeaseMs = 30_000;
/** A lane transaction keeps 5 s of its lease for the commit, so that this is about the shortest there can be. */
const shortLeaseMs = 7_000;
const slowerByMs = 20;

/**
 * Two worker processes under load; one of them is killed with SIGKILL, another asked to go with SIGTERM. The figure is the
 * time until the last of the merchants that were behind at that moment commits again. Handlers are made slow enough that
 * both workers hold lanes all the time.
 */
export async function runRecovery(context: BenchContext) {
  const leaseMs = context.scale < 0.5 ? shortLeaseMs : productionLeaseMs;
  const killed: number[] = [];
  const drained: number[] = [];
  for (let n = 0; n < Math.min(3, context.pairs); n++) {
    const { killMs, sigtermMs } = await endWorkers(context, leaseMs);
    killed.push(killMs);
    drained.push(sigtermMs);
    context.say(
      `all lanes go on ${round(killMs / 1_000)} s after SIGKILL with a lease of ${leaseMs / 1_000} s, ${round(sigtermMs / 1_000)} s after SIGTERM`,
    );
  }
  return {
    leaseMs,
    killMs: round(spreadOf(killed).median),
    sigtermMs: round(spreadOf(drained).median),
    overLeaseMs: round(spreadOf(killed).median - leaseMs),
    spread: { killMs: roundSpread(spreadOf(killed)), sigtermMs: roundSpread(spreadOf(drained)) },
    runs: killed.length,
  };
}

/** Kills the first worker, replaces it, then drains the second one, all under one stream of events. */
async function endWorkers(context: BenchContext, leaseMs: number): Promise<{ killMs: number; sigtermMs: number }> {
  await using fleet = await createFleet(context.servers);
  const { db, url } = fleet.database;
  const settings = { LANEWAY_LEASE_MS: String(leaseMs), BENCH_HANDLER_MS: String(slowerByMs) };
  const [first, second] = await Promise.all(['first', 'second'].map((name) => fleet.startWorker({ name, settings })));
  if (first === undefined || second === undefined) throw new Error('two workers were started');
  // Only accepts: lanes are worked by the processes.
  await using ours = await createOurs({ postgresUrl: url, redisUrl: context.servers.redisUrl, stack: fleet.stack });
  const feeding = new AbortController();
  const feeder = feed(ours, {
    merchants: scaled(context, 200, 20),
    perSecond: scaled(context, 400, 40),
    stop: feeding.signal,
  });
  // Enough for both workers to hold lanes.
  const settleMs = Math.max(1_000, 4_000 * Math.min(1, context.scale));
  await clock.sleep(settleMs);
  await someoneBehind(db);
  const killedAt = performance.timeOrigin + performance.now();
  process.kill(first.pid, 'SIGKILL');
  await clock.sleep(leaseMs + settleMs);
  await fleet.startWorker({ name: 'replacement', settings });
  await clock.sleep(settleMs);
  await someoneBehind(db);
  const drainedAt = performance.timeOrigin + performance.now();
  process.kill(second.pid, 'SIGTERM');
  await clock.sleep(settleMs);
  feeding.abort();
  const sent = await feeder;
  await awaitCursors(db, sent, { stallMs: leaseMs + 30_000 });
  await assertSettledInOrder(db, sent);
  return { killMs: await slowestResumeMs(db, killedAt), sigtermMs: await slowestResumeMs(db, drainedAt) };
}

/** Between two events of a small load everybody may have caught up, and whoever ends then keeps nobody waiting. */
async function someoneBehind(db: Kysely<Database>): Promise<void> {
  for (let tries = 0; tries < 1_000; tries++) {
    const { rows } = await sql`
      select from mailbox m left join lanes l on l.merchant_id = m.merchant_id
      where m.next_mseq - 1 > coalesce(l.cursor, 0) limit 1
    `.execute(db);
    if (rows.length > 0) return;
    await clock.sleep(1);
  }
  throw new Error('nobody is ever behind: the load is too small for a figure');
}

/** Accepts events of one merchant after the other at a steady pace until told to stop; resolves with how many. */
async function feed(
  ours: Ours,
  { merchants, perSecond, stop }: { merchants: number; perSecond: number; stop: AbortSignal },
): Promise<number> {
  const ids = merchantIds(merchants);
  const startedAt = performance.now();
  let sent = 0;
  while (!stop.aborted) {
    const due = Math.floor(((performance.now() - startedAt) / 1_000) * perSecond);
    const events = Array.from({ length: Math.min(100, Math.max(0, due - sent)) }, () => {
      const event = productEvent(ids[sent % ids.length] ?? '', Math.floor(sent / ids.length) + 1);
      sent += 1;
      return toAcceptable(event, ours.config.bodyHmacKey);
    });
    if (events.length > 0) await ours.accept(events);
    await clock.sleep(20);
  }
  return sent;
}

/** Of the merchants with an event accepted and not yet durable at `atMs`, the longest wait for their next commit. */
async function slowestResumeMs(db: Kysely<Database>, atMs: number): Promise<number> {
  const { rows } = await sql<{ ms: number | null; merchants: number }>`
    with resumed as (
      select s.merchant_id, min(extract(epoch from pg_xact_commit_timestamp(s.xmin))::float8 * 1000) as at
      from settlements s join inbox i on i.merchant_id = s.merchant_id and i.day = s.day and i.mseq = s.mseq
      where i.received_at < ${new Date(atMs)}
        and extract(epoch from pg_xact_commit_timestamp(s.xmin))::float8 * 1000 > ${atMs}
      group by s.merchant_id
    )
    select max(at) - ${atMs}::float8 as ms, count(*) as merchants from resumed
  `.execute(db);
  const ms = rows[0]?.ms;
  if (ms === null || ms === undefined) throw new Error('no merchant was behind when the worker ended: no figure');
  return ms;
}
