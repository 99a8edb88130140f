import type { TakeAway } from './take-away.ts';

const actTest = 'workers/act.test.ts';
const troubleTest = 'workers/act-trouble.test.ts';
const fenceTest = 'workers/fence.test.ts';
const unsettledTest = 'workers/unsettled.test.ts';
const dependencies = 'ops/faults/dependencies.test.ts';
const allResumes =
  'whatever a worker depends on is away, throttles or hangs for a while: nothing is lost, dead or counted, all resumes, and each trouble is told once';

/** A lane that is worked: its fence, its window, deaths, and what waits. */
export const working: readonly TakeAway[] = [
  {
    hazard: 'H4',
    takes: 'looking whether a statement’s client is still there',
    file: 'core/clients/postgres.ts',
    from: 'const CLIENT_CHECK_MS = 1_000;',
    to: 'const CLIENT_CHECK_MS = 0;',
    test: 'workers/lane-transaction.test.ts',
    expects:
      'a statement ends soon after the deadline has taken its connection away, and so do the locks of its transaction',
  },
  {
    hazard: 'H5',
    takes: 'the end of waiting for a lock before the deadline',
    file: 'workers/act.ts',
    from: 'LOCK_SHARE * deadlineMs,',
    to: '',
    test: troubleTest,
    expects: 'a handler that waits for a lock somebody else holds has had no attempt, however often it is tried',
  },
  {
    hazard: 'H5',
    takes: 'giving a connection up to a server that takes no writes',
    file: 'core/clients/named-statements.ts',
    from: "const READ_ONLY = '25006';",
    to: "const READ_ONLY = '';",
    test: 'core/clients/postgres.test.ts',
    expects: 'a connection to a server that takes no writes any more is not lent again',
  },
  {
    hazard: 'H5',
    takes: 'telling errors of servers from errors of events',
    file: 'workers/execute-alone.ts',
    from: 'if (isInfrastructureError(thrown)) throw thrown;',
    to: '',
    test: troubleTest,
    expects: 'an infrastructure error costs no attempt and leaves everything as it was',
  },
  {
    hazard: 'H5',
    takes: 'taking a connection on which no answer comes for a server that is away',
    file: 'core/runtime/errors.ts',
    from: "    if (error instanceof Error && LOST_CONNECTION.test(error.message)) return 'connection lost';\n",
    to: '',
    test: 'core/clients/postgres.test.ts',
    expects:
      'a Postgres that hangs without a word fails queries and transactions as a server that is away, keeps no connection, and can be left',
  },
  {
    hazard: 'H5',
    takes: 'giving a connection up on which no answer comes',
    file: 'core/clients/named-statements.ts',
    from: "if (error.message === NO_ANSWER) this.abandon('Postgres gave no answer');",
    to: '',
    test: 'core/clients/postgres.test.ts',
    expects:
      'a Postgres that hangs without a word fails queries and transactions as a server that is away, keeps no connection, and can be left',
  },
  {
    hazard: 'H5',
    takes: 'telling errors of servers from what is refused while settling',
    file: 'workers/act.ts',
    from: 'trace.settling && deadline === undefined && !isInfrastructureError(error)',
    to: 'trace.settling && deadline === undefined',
    test: unsettledTest,
    expects: 'a lock that is not to be had while settling costs no attempt, however often',
  },
  {
    hazard: 'H18',
    takes: 'the queue behind what is open: newer events of the aggregate run at once',
    file: 'workers/act.ts',
    from: 'new Set(aside.flatMap((d) => (d.holdKey === null ? [] : [heldKey(d.handler, d.holdKey)])))',
    to: 'new Set<string>()',
    test: 'workers/redrive.test.ts',
    expects:
      'what queued behind a parked event follows its redrive in order, and later events of the aggregate go behind that',
  },
  {
    hazard: 'H18',
    takes: 'that the smallest is freed first',
    file: 'workers/deliveries.ts',
    from: 'select d.handler, d.hold_key, min(d.mseq) as mseq',
    to: 'select d.handler, d.hold_key, max(d.mseq) as mseq',
    test: 'workers/redrive.test.ts',
    expects:
      'what queued behind a parked event follows its redrive in order, and later events of the aggregate go behind that',
  },
  {
    hazard: 'H27',
    takes: 'counting a death',
    file: 'workers/act.ts',
    from: 'crashes: d.crashes + 1',
    to: 'crashes: d.crashes',
    test: troubleTest,
    expects: 'an event that kills its process three times is poison, and takes no other event with it',
  },
  {
    hazard: 'H27',
    takes: 'the note before each handler of a careful visit',
    file: 'workers/act.ts',
    from: 'carefulLeft > 0 ? (pair: Pair) => inHand.note(merchantId, pair) : undefined',
    to: 'undefined',
    test: 'workers/deaths.test.ts',
    expects:
      'an event that kills its process is found within one visit after the first death, wherever it stands in its window',
  },
  {
    hazard: 'H27',
    takes: 'that a note is answered once',
    file: 'workers/in-hand.ts',
    from: 'redis.getdel(',
    to: 'redis.get(',
    test: 'workers/in-hand.test.ts',
    expects: 'what was in hand is answered once, to whoever comes next, and does not stay for ever',
  },
  {
    hazard: 'H27',
    takes: 'the end of a note that nobody asks for',
    file: 'workers/in-hand.ts',
    from: ", 'PX', KEPT_MS",
    to: '',
    test: 'workers/in-hand.test.ts',
    expects: 'what was in hand is answered once, to whoever comes next, and does not stay for ever',
  },
  {
    hazard: 'H27',
    takes: 'clearing the note of a visit that ended otherwise than by a death',
    file: 'workers/act.ts',
    from: 'if (visit.deadly === undefined) await deps.inHand.clear(merchantId);',
    to: 'if (visit.deadly === undefined) void 0;',
    test: troubleTest,
    expects: 'Postgres going away under a careful visit is not the death of what it ran',
  },
  {
    hazard: 'H28',
    takes: 'the token: a cursor that stands where it was left is enough',
    file: 'workers/fence.ts',
    from: 'row.owner === owner && row.cursor >= expectedCursor',
    to: 'row.cursor >= expectedCursor',
    test: fenceTest,
    expects: 'a lane that changed hands refuses its former owner, also where the cursor stands where that one left it',
  },
  {
    hazard: 'H28',
    takes: 'the look at the cursor: the token is enough',
    file: 'workers/fence.ts',
    from: 'row.owner === owner && row.cursor >= expectedCursor',
    to: 'row.owner === owner',
    test: fenceTest,
    expects:
      'an owner that finds another cursor than it left is refused, as after a restore that brought its token back',
  },
  {
    hazard: 'H28',
    takes: 'that an owner recognises a later commit of its own',
    file: 'workers/fence.ts',
    from: 'row.cursor >= expectedCursor',
    to: 'row.cursor === expectedCursor',
    test: fenceTest,
    expects: 'an owner whose commit went through although it was given up goes on from there',
  },
  {
    hazard: 'H28',
    takes: 'the token, where a take-over was rolled back',
    file: 'workers/fence.ts',
    from: 'row.owner === owner && row.cursor >= expectedCursor',
    to: 'row.cursor >= expectedCursor',
    test: fenceTest,
    expects: 'a take-over that was rolled back gives nobody a claim: whoever commits next is the owner',
  },
  {
    hazard: 'H29',
    takes: 'reading after the fence: what is open is read before',
    file: 'workers/act.ts',
    from: `  const lane = await takeFence(trx, merchantId, visit.tenure);
  trace.cursor = lane.cursor;
  if (lane.state !== 'active') return { kind: 'waiting', until: undefined, wake: lane.wake };
  visit.weight = lane.weight;
  const open = await readOpen(trx, merchantId, lane);
`,
    to: `  const open = await readDeliveries(trx, merchantId);
  const lane = await takeFence(trx, merchantId, visit.tenure);
  trace.cursor = lane.cursor;
  if (lane.state !== 'active') return { kind: 'waiting', until: undefined, wake: lane.wake };
  visit.weight = lane.weight;
`,
    test: fenceTest,
    expects: 'whoever waited for the fence reads all that the previous owner committed meanwhile',
  },
  {
    hazard: 'H30',
    takes: 'that lanes wait only for their head: they wait for whatever is set aside',
    file: 'workers/execute-alone.ts',
    from: "if (delivery.holds === 'merchant') result.passes = false;",
    to: 'result.passes = false;',
    test: 'workers/sweep.test.ts',
    expects: 'a set-aside lets what is not behind it pass, and its lane is due when its time comes',
  },
  {
    hazard: 'H30',
    takes: 'finding out whose part of an event is refused',
    file: 'workers/act.ts',
    from: 'visit.unsettled === alone.opened.row.mseq',
    to: 'visit.unsettled === -1',
    test: unsettledTest,
    expects:
      'what a handler decides and Postgres refuses is a failed attempt of that handler, and the lane goes on behind it',
  },
  {
    hazard: 'H30',
    takes: 'narrowing down what several events cannot be settled for',
    file: 'workers/window-plan.ts',
    from: 'if (alone === undefined) shrink(visit, size, undefined);',
    to: 'if (alone === undefined) return false;',
    test: unsettledTest,
    expects:
      'what a handler decides and Postgres refuses is a failed attempt of that handler, and the lane goes on behind it',
  },
  {
    hazard: 'H30',
    takes: 'making the text of an error one that can be kept',
    file: 'core/runtime/errors.ts',
    from: "text.replaceAll('\\0', '').toWellFormed()",
    to: 'text',
    test: unsettledTest,
    expects: 'an error whose text no store would keep costs its attempts and is dead in the end',
  },
  {
    hazard: 'H30',
    takes: 'the look of the sweeper at what is due',
    file: 'workers/sweep.ts',
    from: 'if (due.rows.length > 0) await options.rouseMerchants(due.rows.map((row) => row.merchantId));',
    to: '',
    test: 'workers/sweep.test.ts',
    expects: 'what is due is woken although the cursor has caught up: a set-aside, a redrive command, an effect',
  },
  {
    hazard: 'H31',
    takes: 'the runs of one type: all of a type go together',
    file: 'workers/window.ts',
    from: 'const last = runs.at(-1);',
    to: 'const last = runs.find((run) => run[0]?.definition === definition);',
    test: actTest,
    expects: 'types keep their order within a window, however handlers group them',
  },
  {
    hazard: 'H35',
    takes: 'the bound of a window by its cursor’s day',
    file: 'workers/window.ts',
    from: '\n            and day >= ${earliest}::date',
    to: '',
    test: 'workers/lane-days.test.ts',
    expects: 'a window looks into no partition before its cursor’s day',
  },
  {
    hazard: 'H36',
    takes: 'ids that are derived from their cause',
    file: 'workers/execute.ts',
    from: 'eventId: derivedEventId(cause.eventId, handler, ordinal),',
    to: 'eventId: crypto.randomUUID(),',
    test: actTest,
    expects: 'events that a handler emits leave with its commit, with ids derived from their cause',
  },
  {
    hazard: 'H4',
    takes: 'the end of sessions that are idle in a transaction',
    file: 'workers/worker.ts',
    from: 'idleInTransactionTimeoutMs: idleInTransactionMs(config),',
    to: 'idleInTransactionTimeoutMs: 600_000,',
    test: 'ops/faults/lost-workers.test.ts',
    expects:
      'lanes of a worker that is stopped, killed or told to go are taken over by the next in order, and the old owner is refused',
  },
  {
    hazard: 'H5',
    takes: 'telling errors of servers from errors of events where events are accepted',
    file: 'workers/accept.ts',
    from: 'isDatabaseError(error) && /^(22...|54...|23502)$/.test(error.code)',
    to: 'isDatabaseError(error)',
    test: dependencies,
    expects: allResumes,
  },
  {
    hazard: 'H14',
    takes: 'calls by effect actors: a lane waits for a network that does not answer',
    file: 'workers/settle.ts',
    from: '  await writeSettlements(trx, lanes, nowMs);\n',
    to: `  await writeSettlements(trx, lanes, nowMs);
  if (lanes.some(({ ledger }) => ledger.intents.some(({ destination }) => destination === 'ad-network:meta')))
    await new Promise(() => undefined);
`,
    test: dependencies,
    expects: allResumes,
  },
  {
    hazard: 'H31',
    takes: 'the order of reports by what they say of themselves: the last to come wins',
    file: 'core/contexts/analytics/process-ingested-performance-data.ts',
    from: '      where (excluded.source_at, excluded.source_event_id) > (held.source_at, held.source_event_id)\n',
    to: '',
    test: 'core/contexts/analytics/analytics-handlers.test.ts',
    expects: 'performance reports end in the same state in whatever order and however often they come',
  },
  {
    hazard: 'H37',
    takes: 'the wait of a new handler for workers that lack it',
    file: 'workers/handler-starts.ts',
    from: 'where not exists (select from worker_handlers w where o.handler <> all (w.handlers))',
    to: 'where true',
    test: 'ops/backfill/run-backfill.test.ts',
    expects:
      'a new handler runs for no event while a worker lacks it, for every event once none does, and for the missed by command',
  },
  {
    hazard: 'H37',
    takes: 'retiring handlers that no worker has',
    file: 'workers/handler-starts.ts',
    from: 'where retired_at is null and not exists (select from worker_handlers w where s.handler = any (w.handlers))',
    to: 'where false',
    test: 'workers/handler-starts.test.ts',
    expects: 'a handler that no worker has any more is retired, and what it left holds nobody up',
  },
];
