import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bestOf, holdContest, judgeContest } from './contest.ts';

const silent = () => undefined;

test('contenders take turns and their order is reversed in every other pair', async () => {
  const ran: string[] = [];
  const contender = (name: string, figure: number) => () => {
    ran.push(name);
    return Promise.resolve(figure);
  };
  const contenders = { ours: contender('ours', 2), peer: contender('peer', 1) };
  const rounds = await holdContest({ pairs: 3, contenders, say: silent });
  assert.is(ran.join(' '), 'ours peer peer ours ours peer');
  assert.is(rounds.length, 3);
});

test('a ratio is taken within each pair, then its median: a slow pair is slow for both', () => {
  const judged = judgeContest([
    { ours: 200, peer: 100 },
    { ours: 30, peer: 10 },
    { ours: 400, peer: 100 },
  ]);
  assert.equal(judged.medians, { ours: 200, peer: 100 });
  assert.equal(judged.ratios, { peer: 3 });
  assert.equal(judged.ratioSpread, { peer: { median: 3, min: 2, max: 4 } });
  assert.equal(judged.spread['ours'], { median: 200, min: 30, max: 400 });
});

test('of a cost the ratio is theirs divided by ours', () => {
  assert.equal(judgeContest([{ ours: 2, peer: 3 }], 'lower').ratios, { peer: 1.5 });
});

test('a contender that fails ends the contest, since a wrong result has no figure', async () => {
  const contenders = { ours: () => Promise.reject(new Error('wrong result')) };
  await holdContest({ pairs: 1, contenders, say: silent }).then(
    () => assert.unreachable(),
    (error: unknown) => assert.match(String(error), 'wrong result'),
  );
});

test('a peer runs with the setting under which it does best', async () => {
  const best = await bestOf([4, 8, 16], (c) => Promise.resolve(c === 8 ? 100 : 50));
  assert.equal(best, { setting: 8, tried: { 4: 50, 8: 100, 16: 50 } });
  const only = await bestOf([4], () => Promise.reject(new Error('nothing to compare')));
  assert.equal(only, { setting: 4, tried: {} });
});

test.run();
