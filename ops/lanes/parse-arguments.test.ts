import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseArguments } from './parse-arguments.ts';

const parsed = (line: string) => parseArguments(line.split(' '), 'ada');
const command = (line: string) => {
  const result = parsed(line);
  assert.is(result.kind, 'run', line);
  return result.kind === 'run' ? result.command : undefined;
};
const requester = { by: 'ada', reason: 'not given' };

test('each command is read with its defaults and its options', () => {
  assert.equal(command('list'), {
    kind: 'list',
    query: { filter: undefined, prefix: undefined, limit: 50, after: undefined },
  });
  assert.equal(command('list --state paused --merchant shop- --limit 7 --after shop-1'), {
    kind: 'list',
    query: { filter: 'paused', prefix: 'shop-', limit: 7, after: 'shop-1' },
  });
  assert.equal(command('explain shop-1 --json'), { kind: 'explain', merchantId: 'shop-1' });
  assert.equal(command('pause shop-1'), { kind: 'pause', merchantId: 'shop-1', requester });
  assert.equal(command('drain shop-1 --by eve --reason moving'), {
    kind: 'drain',
    merchantId: 'shop-1',
    requester: { by: 'eve', reason: 'moving' },
  });
  assert.equal(command('unblock shop-1'), { kind: 'unblock', merchantId: 'shop-1', requester, verdict: 'retry' });
  assert.equal(command('unblock shop-1 --skip'), { kind: 'unblock', merchantId: 'shop-1', requester, verdict: 'skip' });
  assert.equal(command('weight shop-1 4'), { kind: 'weight', merchantId: 'shop-1', requester, weight: 4 });
  assert.equal(command('rate shop-1 2.5'), { kind: 'rate', merchantId: 'shop-1', requester, ratePerSecond: 2.5 });
  assert.equal(command('rate shop-1 none'), { kind: 'rate', merchantId: 'shop-1', requester, ratePerSecond: null });
});

test('what cannot be meant says where and what would be right', () => {
  for (const [line, complaint] of [
    ['', 'a command is missing'],
    ['lst', 'no command "lst"'],
    ['pause', 'pause takes one merchant'],
    ['pause a b', 'pause takes one merchant'],
    ['weight shop-1', 'weight takes a merchant and a number'],
    ['weight shop-1 0', 'from 1 to 20'],
    ['weight shop-1 1.5', 'from 1 to 20'],
    ['rate shop-1 fast', 'or none, not "fast"'],
    ['rate shop-1 0', 'from 0.001'],
    ['list --limit 0', '--limit takes a whole number'],
    ['list --state lost', 'blocked, paused, draining, behind, waiting'],
    ['list --state behind --after shop-1', '--after takes the token'],
    ['list shop', '--merchant takes a prefix'],
    ['pause shop-1 --state nonsense --limit x', 'pause takes no --state: it takes --reason, --by'],
    ['list --skip', 'list takes no --skip: it takes --state, --merchant, --limit, --after'],
    ['explain shop-1 --reason x', 'explain takes no --reason: it has no options of its own'],
    ['constructor --skip', 'no command "constructor"'],
    ['unblock a --skip --dead-letter', 'exclude each other'],
    ['pause a --reasn x', '--reasn'],
    ['pause a --reason', '--reason'],
    [`pause ${'a'.repeat(129)}`, 'cannot be the id of a merchant'],
  ] as const) {
    const result = parsed(line);
    assert.is(result.kind, 'invalid', line);
    if (result.kind === 'invalid') assert.match(result.message, complaint);
  }
});

test.run();
