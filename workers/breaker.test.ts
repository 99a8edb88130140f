import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type BreakerState, beginCall, closedBreaker, endCall } from './breaker.ts';

const call = (state: BreakerState, now: number, answered: boolean | undefined): BreakerState => {
  const begun = beginCall(state, now);
  if (begun.entry.kind === 'wait') throw new Error(`closed to calls until ${begun.entry.until}`);
  return endCall(begun.state, { now, trial: begun.entry.trial, answered });
};
const calls = (state: BreakerState, now: number, answers: string): BreakerState =>
  answers.split('').reduce((each, answer) => call(each, now, answer === '+'), state);

test('it opens when half of the last calls had no answer, not before five of them', () => {
  assert.is(calls(closedBreaker, 0, '----').kind, 'closed');
  assert.is(calls(closedBreaker, 0, '-----').kind, 'open');
  assert.is(calls(closedBreaker, 0, '++++++---').kind, 'closed');
  assert.is(calls(closedBreaker, 0, '++++----').kind, 'open');
});

test('calls of long ago are forgotten: a destination that is called rarely is not judged by last week', () => {
  assert.is(calls(calls(closedBreaker, 0, '----'), 300_001, '-').kind, 'closed');
});

test('while it is open nothing is called; then one call finds out, and an answer closes it', () => {
  const open = calls(closedBreaker, 1_000, '-----');
  assert.equal(beginCall(open, 5_999).entry, { kind: 'wait', until: 6_000 });
  const first = beginCall(open, 6_000);
  assert.equal(first.entry, { kind: 'go', trial: true });
  assert.is(beginCall(first.state, 6_000).entry.kind, 'wait');
  const closed = endCall(first.state, { now: 6_100, trial: true, answered: true });
  assert.equal(beginCall(closed, 6_100).entry, { kind: 'go', trial: false });
});

test('each trial without an answer doubles the wait, up to five minutes', () => {
  let state = calls(closedBreaker, 0, '-----');
  let now = 0;
  const waits: number[] = [];
  for (let trial = 0; trial < 8; trial++) {
    assert.is(state.kind, 'open');
    const until = state.kind === 'open' ? state.until : 0;
    waits.push(until - now);
    now = until;
    state = call(state, now, false);
  }
  assert.equal(waits, [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
});

test('a trial that was not made after all leaves the next one free', () => {
  const trial = call(calls(closedBreaker, 0, '-----'), 5_000, undefined);
  assert.equal(beginCall(trial, 5_000).entry, { kind: 'go', trial: true });
});

test('calls that began before it opened neither close it nor count', () => {
  const open = calls(closedBreaker, 0, '-----');
  assert.equal(endCall(open, { now: 10, trial: false, answered: true }), open);
  assert.equal(endCall(open, { now: 10, trial: false, answered: false }), open);
  const { state: onTrial } = beginCall(open, 5_000);
  assert.equal(endCall(onTrial, { now: 5_010, trial: false, answered: true }), onTrial);
});

test.run();
