import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { systemClock } from '../core/runtime/clock.ts';
import { silentLog } from '../core/runtime/log.ts';
import { type Metrics, silentMetrics } from '../core/runtime/metrics.ts';
import { type Span, silentSpans } from '../core/runtime/spans.ts';
import { createWorld } from '../core/testing/world.ts';
import { countCommitted, createObserver, traceCommitted } from './observe.ts';
import { emptyLedger } from './settle.ts';

function noting(): { metrics: Metrics; noted: [string, unknown, number][] } {
  const noted: [string, unknown, number][] = [];
  return {
    noted,
    metrics: {
      ...silentMetrics,
      count: (key, dimensions, by = 1) => void noted.push([key, dimensions, by]),
      gauge: (key, dimensions, value) => void noted.push([key, dimensions, value]),
      record: (key, dimensions, value) => void noted.push([key, dimensions, value]),
    },
  };
}

test('what waits is told as it lies in Postgres, by one worker at a time', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  await sql`
    insert into mailbox (merchant_id, next_mseq, last_day, touched_at)
      values ('behind', 11, current_date, now()), ('new', 4, current_date, now());
    insert into lanes (merchant_id, cursor, state, state_reason) values ('behind', 4, 'active', null), ('stuck', 0, 'blocked', 'x')
  `.execute(db);
  const { metrics, noted } = noting();
  const observer = createObserver({ db, metrics, clock: systemClock, log: silentLog });
  assert.is(await observer.observe(), true);
  assert.equal(noted, [
    ['lanesBlocked', {}, 1],
    ['deliveriesParked', {}, 0],
    ['lanesBacklog', {}, 9],
    ['outboxLag', {}, 0],
  ]);
  await db.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(hashtext('laneway.observe'))`.execute(trx);
    assert.is(await observer.observe(), false);
  });
});

test('a commit is told by its handlers: runs, failures among them, and the age of what was done', () => {
  const { metrics, noted } = noting();
  const pair = { mseq: 1, day: '2026-11-24', handler: 'h', eventId: 'e', attempts: 1, outOfOrder: false, reason: null };
  const ledger = {
    ...emptyLedger(),
    settlements: [
      { ...pair, outcome: 'done' as const, emittedAt: '2026-11-24T10:00:00.000Z' },
      { ...pair, mseq: 2, outcome: 'dead' as const, emittedAt: '2026-11-24T10:00:00.000Z' },
    ],
  };
  const lanes = [{ merchantId: 'm', cursor: 2, ledger }];
  countCommitted(metrics, lanes, () => 'E', Date.parse('2026-11-24T10:00:02.500Z'));
  assert.equal(noted, [
    ['handlerRuns', { handler: 'h' }, 1],
    ['eventLatency', { event: 'E' }, 2_500],
    ['handlerRuns', { handler: 'h' }, 1],
    ['handlerErrors', { handler: 'h' }, 1],
  ]);
});

test('a commit is traced from the emission of each event to its settlement, and a dead one has failed', () => {
  const recorded: Span[] = [];
  const spans = { ...silentSpans, keeps: () => true, record: (span: Span) => void recorded.push(span) };
  const pair = { mseq: 1, day: '2026-11-24', handler: 'h', eventId: 'e', attempts: 1, outOfOrder: false, reason: null };
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const settlements = [
    { ...pair, outcome: 'done' as const, emittedAt: '2026-11-24T10:00:00.000Z', traceparent },
    { ...pair, mseq: 2, outcome: 'dead' as const, emittedAt: '2026-11-24T10:00:09.000Z', traceparent },
  ];
  const lanes = [{ merchantId: 'm', cursor: 2, ledger: { ...emptyLedger(), settlements } }];
  traceCommitted(spans, lanes, () => 'E', Date.parse('2026-11-24T10:00:02.500Z'));
  assert.equal(
    recorded.map(({ fromMs, toMs, failed }) => [toMs - fromMs, failed]),
    [
      [2_500, false],
      [0, true],
    ],
  );
  assert.equal(recorded[0]?.attributes, { merchantId: 'm', eventId: 'e', eventType: 'E', outcome: 'done' });
  assert.is(recorded[0]?.traceparent, traceparent);
});

test.run();
