import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Ledger, fullLedger, grantTokens, holdMs, pauseLedger } from './token-bucket.ts';

const ask = { giveBack: 0, owed: 0, turnAt: undefined };

test('in no window of its length does a destination get more calls than it allows, however they are asked for', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 3, max: 60 }),
      fc.integer({ min: 100, max: 5_000 }),
      fc.array(fc.record({ after: fc.integer({ min: 0, max: 900 }), need: fc.integer({ min: 1, max: 3 }) }), {
        maxLength: 120,
      }),
      fc.integer({ min: 0, max: 1_000 }),
      (calls, perMs, asks, useAfter) => {
        const quota = [{ calls, perMs }];
        const usedAfter = Math.min(useAfter, holdMs(quota));
        let ledger = fullLedger(quota, 0);
        let now = 0;
        const called: number[] = [];
        for (const { after, need } of asks) {
          now += after;
          const answer = grantTokens(ledger, { ...ask, now, need });
          ledger = answer.ledger;
          // The latest that a holder may use them, for every other grant.
          const at = now + (called.length % 2 === 0 ? usedAfter : 0);
          if (answer.grant.kind === 'granted') called.push(...Array<number>(answer.grant.tokens).fill(at));
        }
        called.sort((a, b) => a - b);
        for (const begin of called) assert.ok(called.filter((at) => at >= begin && at < begin + perMs).length <= calls);
      },
    ),
    { numRuns: 300 },
  );
});

test('tokens that are used as late as they may be do not make a window fuller', () => {
  let ledger = fullLedger([{ calls: 10, perMs: 1_000, burst: 5 }], 0);
  const called: number[] = [];
  for (let now = 0; now < 1_100; now++) {
    const answer = grantTokens(ledger, { ...ask, now, need: 1, turnAt: now });
    ledger = answer.ledger;
    // The burst of a process that held on to it, and whatever came later used at once.
    if (answer.grant.kind === 'granted') called.push(...Array<number>(answer.grant.tokens).fill(Math.max(100, now)));
  }
  assert.is(holdMs([{ calls: 10, perMs: 1_000 }]), 100);
  assert.is(called.length, 10);
});

/** Lanes that want `wants` effects each, woken when their turn comes; who was granted, in order. */
function serve(wants: Record<string, number>, until: number): string[] {
  const quota = [{ calls: 10, perMs: 1_000, burst: 5 }];
  let ledger: Ledger = fullLedger(quota, 0);
  const left = new Map(Object.entries(wants));
  const due = [...left.keys()].map((lane) => ({ lane, at: 0, turnAt: undefined as number | undefined }));
  const granted: string[] = [];
  while (due.length > 0) {
    due.sort((a, b) => a.at - b.at);
    const next = due.shift();
    if (next === undefined || next.at > until) break;
    let { turnAt } = next;
    for (let spare = 0; ;) {
      const answer = grantTokens(ledger, { now: next.at, need: 1, giveBack: spare, owed: 0, turnAt });
      ledger = answer.ledger;
      if (answer.grant.kind === 'wait') {
        due.push({ lane: next.lane, at: answer.grant.until, turnAt: answer.grant.turnAt });
        break;
      }
      spare = answer.grant.tokens - 1;
      turnAt = undefined;
      granted.push(next.lane);
      const rest = (left.get(next.lane) ?? 0) - 1;
      left.set(next.lane, rest);
      if (rest === 0) break;
    }
  }
  return granted;
}

test('a lane with thousands of effects gets no more of a scarce quota than its neighbours', () => {
  const granted = serve({ noisy: 10_000, a: 3, b: 3, c: 3 }, 10_000);
  // The burst goes to whoever comes first; from then on everybody in turn.
  assert.equal(granted.slice(0, 5), Array(5).fill('noisy'));
  const quietDone = Math.max(...['a', 'b', 'c'].map((lane) => granted.lastIndexOf(lane)));
  assert.is(granted.slice(5, quietDone).filter((lane) => lane === 'noisy').length, 3);
  // And the quota is not left unused meanwhile.
  assert.ok(granted.length >= 55, String(granted.length));
});

test('a newcomer does not overtake those who wait for their turn', () => {
  let ledger = fullLedger([{ calls: 10, perMs: 1_000, burst: 3 }], 0);
  const at = (now: number, turnAt?: number) => {
    const answer = grantTokens(ledger, { now, need: 3, giveBack: 0, owed: 0, turnAt });
    ledger = answer.ledger;
    return answer.grant;
  };
  assert.equal(at(0), { kind: 'granted', tokens: 3 });
  const first = at(0);
  const second = at(0);
  assert.ok(first.kind === 'wait' && second.kind === 'wait' && second.turnAt > first.turnAt);
  assert.is(at(first.turnAt).kind, 'wait');
  assert.equal(at(first.turnAt, first.turnAt), { kind: 'granted', tokens: 3 });
});

test('a destination that asks to be left alone gets nothing until then, and no burst afterwards', () => {
  const ledger = pauseLedger(fullLedger([{ calls: 600, perMs: 60_000 }], 0), 30_000);
  const answer = grantTokens(ledger, { ...ask, now: 1_000, need: 1 });
  assert.is(answer.grant.kind === 'wait' && answer.grant.until, 30_000);
  const after = grantTokens(ledger, { ...ask, now: 30_000, need: 3 });
  assert.equal(after.grant, { kind: 'granted', tokens: 3 });
  assert.is(grantTokens(after.ledger, { ...ask, now: 30_000, need: 1 }).grant.kind, 'wait');
});

test('what was granted and not used can be given back, but never makes a larger burst', () => {
  const quota = [{ calls: 100, perMs: 10_000, burst: 10 }];
  const empty = grantTokens(fullLedger(quota, 0), { ...ask, now: 0, need: 10 }).ledger;
  assert.is(grantTokens(empty, { ...ask, now: 0, need: 3 }).grant.kind, 'wait');
  assert.equal(grantTokens(empty, { ...ask, now: 0, need: 3, giveBack: 3 }).grant, { kind: 'granted', tokens: 3 });
  const { ledger } = grantTokens(fullLedger(quota, 0), { ...ask, now: 0, need: 0, giveBack: 50 });
  assert.is(Math.max(...ledger.buckets.map(({ tokens }) => tokens)), 10);
});

test.run();
