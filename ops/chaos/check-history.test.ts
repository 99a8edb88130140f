import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkHistory } from './check-history.ts';
import { countStaleCalls } from './find-overlaps.ts';
import {
  type Commit,
  type Effect,
  type End,
  type ExpectedHandler,
  type History,
  type Sent,
  pairKey,
} from './history.ts';

const M = 'shop';

const sent = (eventId: string, handlers: string[], more: Partial<Sent> = {}): Sent => ({
  merchantId: M,
  eventId,
  sequence: 'shop queue',
  aggregate: 'a',
  handlers,
  troubled: false,
  ...more,
});
const effect = (seq: number, handler: string, mseq: number, transaction = `t${mseq}`): Effect => ({
  ...{ seq, handler, merchantId: M, eventId: `e${mseq}`, mseq, transaction },
  atMs: 1_000 + seq,
});
const end = (seq: number, handler: string, mseq: number, transaction = `t${mseq}`, outcome = 'done'): End => ({
  ...{ seq, handler, merchantId: M, eventId: `e${mseq}`, mseq, transaction, outcome },
  reason: outcome === 'done' ? null : 'handler.failed',
});
const commit = (seq: number, cursor: number, transaction = `t${cursor}`, owner = 'o1'): Commit => ({
  ...{ seq, merchantId: M, owner, worker: 'w', cursor, transaction },
  atMs: 1_000 + seq + 0.5,
});

/** Three events, one after the other, at a handler of each kind. */
function history(changes: Partial<History> = {}): History {
  const handlers = ['merchant', 'aggregate', 'event'] as const;
  const numbers = [1, 2, 3];
  return {
    handlers: new Map<string, ExpectedHandler>([
      ...handlers.map((holds) => [holds, { holds, onPoison: 'release' }] as const),
      ['keeping', { holds: 'aggregate', onPoison: 'keep' }],
    ]),
    sent: numbers.map((n) => sent(`e${n}`, [...handlers])),
    accepted: numbers.map((n) => ({ merchantId: M, eventId: `e${n}`, mseq: n, atMs: 900 })),
    effects: numbers.flatMap((n) => handlers.map((handler) => effect(n, handler, n))),
    ends: numbers.flatMap((n) => handlers.map((handler) => end(n, handler, n))),
    commits: numbers.map((n) => commit(n, n)),
    open: [],
    deadLetters: [],
    redriven: new Set(),
    faults: [],
    ...changes,
  };
}

/** One event type with one handler. */
function of(handler: string, changes: Partial<History>): History {
  const one = history();
  return history({
    sent: one.sent.map((each) => ({ ...each, handlers: [handler] })),
    effects: one.effects.filter((each) => each.handler === handler),
    ends: one.ends.filter((each) => each.handler === handler),
    ...changes,
  });
}

function found(from: History) {
  const { overlaps, inversions, lost, duplicateEffects } = checkHistory(from);
  return { overlaps, inversions, lost, duplicateEffects };
}
const none = { overlaps: 0, inversions: 0, lost: 0, duplicateEffects: 0 };

test('a faultless history has no findings', () => {
  assert.equal(found(history()), none);
  assert.equal(checkHistory(history()).findings, []);
});

test('an owner that commits after its successor is an overlap', () => {
  const commits = [commit(1, 1), commit(2, 2, 't2', 'o2'), commit(3, 3, 't3', 'o1')];
  assert.equal(found(history({ commits })), { ...none, overlaps: 1 });
});

test('an owner that is succeeded and does not come back is none', () => {
  const commits = [commit(1, 1), commit(2, 2, 't2', 'o2'), commit(3, 3, 't3', 'o3')];
  assert.equal(found(history({ commits })), none);
});

test('a cursor that goes back is an overlap', () => {
  const commits = [commit(1, 1), commit(2, 2), commit(3, 3), commit(4, 2, 't4')];
  assert.equal(found(history({ commits })), { ...none, overlaps: 1 });
});

test('a transaction at work before the one ahead of it committed is an overlap', () => {
  const effects = history().effects.map((each) => (each.mseq === 2 ? { ...each, atMs: 1_001.2 } : each));
  assert.equal(found(history({ effects })), { ...none, overlaps: 1 });
});

test('an event that holds its merchant and ends after a later one is an inversion', () => {
  const commits = [commit(1, 2, 't2'), commit(2, 2, 't1'), commit(3, 3)];
  assert.equal(found(of('merchant', { commits })).inversions, 1);
  assert.is(found(of('event', { commits })).inversions, 0);
});

test('what holds its merchant holds back other handlers too', () => {
  const held = of('merchant', { commits: [commit(1, 2, 't2'), commit(2, 2, 't1'), commit(3, 3)] });
  const mixed: History = {
    ...held,
    sent: held.sent.map((each) => (each.eventId === 'e2' ? { ...each, handlers: ['event'] } : each)),
    effects: held.effects.map((each) => (each.mseq === 2 ? { ...each, handler: 'event' } : each)),
    ends: held.ends.map((each) => (each.mseq === 2 ? { ...each, handler: 'event' } : each)),
  };
  assert.is(found(mixed).inversions, 1);
});

test('events of one aggregate are inverted, those of two are not', () => {
  const commits = [commit(1, 2, 't2'), commit(2, 2, 't1'), commit(3, 3)];
  const inverted = of('aggregate', { commits });
  assert.equal(found(inverted).inversions, 1);
  const apart = inverted.sent.map((each) => (each.eventId === 'e1' ? { ...each, aggregate: 'b' } : each));
  assert.is(found({ ...inverted, sent: apart }).inversions, 0);
});

test('a handler that acts out of order inside of one transaction is inverted', () => {
  const together = of('merchant', {
    effects: [effect(1, 'merchant', 2, 't'), effect(2, 'merchant', 1, 't'), effect(3, 'merchant', 3, 't')],
    ends: [1, 2, 3].map((n) => end(n, 'merchant', n, 't')),
    commits: [commit(9, 3, 't')],
  });
  assert.equal(found(together), { ...none, inversions: 1 });
});

test('events that are numbered in another order than they were sent in are inverted, unless their route keeps none', () => {
  const one = history();
  const resorted = [one.sent[1], one.sent[0], one.sent[2]].flatMap((each) => each ?? []);
  assert.equal(found(history({ sent: resorted })), { ...none, inversions: 1 });
  assert.equal(found(history({ sent: resorted.map((each) => ({ ...each, sequence: undefined })) })), none);
});

test('a pair redriven after its dead letter may come late, one that was kept may not be passed', () => {
  const late = (handler: string): Partial<History> => ({
    ends: [end(1, handler, 2), end(2, handler, 3), end(3, handler, 1, 't4')],
    effects: [effect(1, handler, 2), effect(2, handler, 3), effect(3, handler, 1, 't4')],
    commits: [commit(1, 2), commit(2, 3), commit(3, 3, 't4')],
    redriven: new Set([pairKey({ handler, merchantId: M, eventId: 'e1' })]),
  });
  const released = of('aggregate', late('aggregate'));
  assert.equal(found(released), none);
  assert.equal(found({ ...released, redriven: new Set() }).inversions, 1);
  assert.equal(found(of('keeping', late('keeping'))).inversions, 1);
});

test('a pair without an end, an effect or a dead letter is lost', () => {
  const whole = of('event', {});
  const without = (eventId: string) => ({
    ends: whole.ends.filter((each) => each.eventId !== eventId),
    effects: whole.effects.filter((each) => each.eventId !== eventId),
  });
  assert.equal(found({ ...whole, ...without('e2') }), { ...none, lost: 1 });
  assert.equal(found({ ...whole, ...without('e2'), accepted: whole.accepted.slice(2) }), { ...none, lost: 1 });
  assert.equal(found({ ...whole, effects: without('e2').effects }), { ...none, lost: 1 });

  const dead = { ...without('e2'), ends: [...without('e2').ends, end(4, 'event', 2, 't2', 'dead')] };
  assert.equal(found({ ...whole, ...dead }), { ...none, lost: 1 });
  const letter = { handler: 'event', merchantId: M, eventId: 'e2', errorCode: 'handler.failed' };
  assert.equal(found({ ...whole, ...dead, deadLetters: [letter] }), none);
});

test('a pair may stay open parked with an error, or behind one that is; anything else is lost', () => {
  const whole = of('keeping', {});
  const first = whole.sent.map((each) => ({ ...each, handlers: ['keeping'] }));
  const pair = (n: number, state: string, errorCode = '') => ({
    ...{ handler: 'keeping', merchantId: M, eventId: `e${n}`, state, errorCode },
  });
  const open = (...pairs: History['open']) => found({ ...whole, sent: first, ends: [], effects: [], open: pairs });
  assert.equal(open(pair(1, 'parked', 'handler.failed'), pair(2, 'behind'), pair(3, 'behind')), none);
  assert.equal(open(pair(1, 'parked'), pair(2, 'behind'), pair(3, 'waiting')), { ...none, lost: 2 });
  assert.equal(open(pair(1, 'behind'), pair(2, 'behind'), pair(3, 'behind')), { ...none, lost: 3 });
});

test('a second effect, an effect of a dead pair and an effect of what nobody sent are effects too many', () => {
  const whole = of('event', {});
  const again = [...whole.effects, effect(9, 'event', 2)];
  assert.equal(found({ ...whole, effects: again }), { ...none, duplicateEffects: 1 });
  const asDead = whole.ends.map((each) => (each.mseq === 2 ? end(2, 'event', 2, 't2', 'dead') : each));
  const letter = { handler: 'event', merchantId: M, eventId: 'e2', errorCode: 'handler.failed' };
  assert.equal(found({ ...whole, ends: asDead, deadLetters: [letter] }), { ...none, duplicateEffects: 1 });
  assert.equal(found({ ...whole, sent: whole.sent.slice(1) }), { ...none, duplicateEffects: 1 });
});

test('a merchant starves for as long as others are served and it could be', () => {
  const at = (merchantId: string, seq: number, cursor: number, atMs: number): Commit => ({
    ...{ seq, merchantId, owner: 'o', worker: 'w', cursor, transaction: `${merchantId}${seq}`, atMs },
  });
  const others = [1, 2, 3, 4].map((n) => at('other', n, n, 1_000 + 500 * n));
  const waits = history({
    sent: [sent('e1', ['event'])],
    accepted: [{ merchantId: M, eventId: 'e1', mseq: 1, atMs: 1_000 }],
    commits: [...others, at(M, 9, 1, 4_000)],
  });
  assert.is(checkHistory(waits).starvedMs, 1_000);
  assert.is(checkHistory({ ...waits, sent: [sent('e1', ['event'], { troubled: true })] }).starvedMs, 0);
  assert.is(checkHistory({ ...waits, commits: [at(M, 9, 1, 4_000)] }).starvedMs, 0);
});

test('a fault is recovered from when the next lane commits', () => {
  const fault = (endedAtMs: number) => ({ kind: 'k', target: '', startedAtMs: 0, endedAtMs });
  const judged = checkHistory(history({ faults: [fault(900), fault(1_002), fault(5_000)] }));
  assert.equal(judged.recoveries, [102, 1, null]);
  assert.is(judged.recoveredMs, 102);
});

test('a fault is behind only when every merchant that was behind at its end has been served, if not in trouble', () => {
  const at = (merchantId: string, seq: number, atMs: number): Commit => ({
    ...{ seq, merchantId, owner: 'o', worker: 'w', cursor: 1, transaction: `${merchantId}${seq}`, atMs },
  });
  const waits = history({
    sent: [sent('e1', ['event'])],
    accepted: [
      { merchantId: M, eventId: 'e1', mseq: 1, atMs: 1_000 },
      { merchantId: 'other', eventId: 'e1', mseq: 1, atMs: 1_000 },
      { merchantId: 'later', eventId: 'e1', mseq: 1, atMs: 3_000 },
    ],
    commits: [at('other', 1, 2_100), at(M, 2, 4_500), at('later', 3, 9_000)],
    faults: [{ kind: 'k', target: '', startedAtMs: 0, endedAtMs: 2_000 }],
  });
  const judged = checkHistory(waits);
  assert.equal([judged.recoveries, judged.catchUps, judged.behindMs], [[100], [2_500], 2_500]);
  const troubled = { ...waits, sent: [sent('e1', ['event'], { troubled: true })] };
  assert.equal(checkHistory(troubled).catchUps, [100]);
});

test('a call by a worker whose lane another one is working is stale; one before or after is not', () => {
  const by = (seq: number, owner: string, worker: string) => ({ ...commit(seq, seq, `t${seq}`, owner), worker });
  const commits = [by(1, 'o1', 'a'), by(5, 'o2', 'b'), by(9, 'o2', 'b')];
  const call = (worker: string, atMs: number) => ({ merchantId: M, worker, atMs });
  assert.is(countStaleCalls([call('a', 1_003), call('b', 1_007), call('a', 1_020)], commits), 0);
  assert.is(countStaleCalls([call('a', 1_007)], commits), 1);
});

test.run();
