import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseArguments } from './parse-arguments.ts';

const known = { queues: ['OneDLQ', 'OtherDLQ'], handlers: ['handleOne'] };
const parsed = (...args: string[]) => parseArguments(args, 'ada', known);
const none = {
  queue: undefined,
  handler: undefined,
  merchantId: undefined,
  code: undefined,
  since: undefined,
  until: undefined,
  eventId: undefined,
  limit: 100,
  after: undefined,
};

test('a redrive is a plan unless it says yes and why', () => {
  assert.equal(parsed('redrive', '--json'), {
    kind: 'run',
    command: { kind: 'plan', filter: none, include: [] },
    json: true,
    dataDir: undefined,
  });
  const refused = parsed('redrive', '--yes');
  assert.ok(refused.kind === 'invalid' && refused.message.includes('--reason'));
  const meant = parsed(
    ...[
      'redrive',
      '--yes',
      '--reason',
      'mended',
      '--queue',
      'OneDLQ',
      '--handler',
      'handleOne',
      '--merchant',
      'shop-1',
    ],
    ...['--code', 'handler.failed', '--since', '2026-11-23T12:00:00Z', '--until', '2026-11-24', '--event', 'e1'],
    ...['--limit', '7', '--include', 'superseded,conflicting', '--rate', '2.5', '--wait', '0', '--by', 'eve'],
  );
  assert.equal(meant.kind === 'run' && meant.command, {
    kind: 'redrive',
    filter: {
      queue: 'OneDLQ',
      handler: 'handleOne',
      merchantId: 'shop-1',
      code: 'handler.failed',
      since: 1_795_435_200_000,
      until: 1_795_478_400_000,
      eventId: 'e1',
      limit: 7,
      after: undefined,
    },
    include: ['superseded', 'conflicting'],
    perSecond: 2.5,
    requester: { by: 'eve', reason: 'mended' },
    waitMs: 0,
  });
});

test('a run is resumed as it was begun: whatever would change it is refused', () => {
  const resume = ['redrive', '--resume', '0b5b4a3e-0c1e-4f0e-9d0a-5a0f2f6f3c11'];
  const resumed = parsed(...resume, '--wait', '2.5', '--yes');
  assert.equal(resumed.kind === 'run' && resumed.command, { kind: 'resume', runId: resume[2], waitMs: 2_500 });
  const others = [
    'queue',
    'handler',
    'merchant',
    'code',
    'event',
    'since',
    'until',
    'limit',
    'after',
    'include',
    'rate',
  ];
  for (const other of [...others.map((name) => `--${name}=x`), '--reason=x', '--by=x']) {
    const refused = parsed(...resume, other);
    const message = `redrive --resume takes no ${other.replace('=x', '')}: it takes --resume, --wait, --yes`;
    assert.equal(refused, { kind: 'invalid', message });
  }
});

test('what cannot be meant says where and what would be right', () => {
  for (const [line, complaint] of [
    ['', 'a command is missing'],
    ['purge', 'no command "purge"'],
    ['show', 'the id that list gives'],
    ['list x', 'one word too many'],
    ['list --queue NoDLQ', 'one of OneDLQ, OtherDLQ'],
    ['list --handler none', 'one of handleOne'],
    ['list --since yesterday', 'a time with its zone such as'],
    ['list --since 2026-11-23T12:00', 'a time with its zone such as'],
    ['list --until 2026-02-31', '--until takes a day'],
    ['list --limit 0', 'from 1 to 1000'],
    ['list --after e1', 'what an earlier answer gave'],
    ['redrive --include all', 'superseded, conflicting, not "all"'],
    ['redrive --rate 0', '--rate takes a number'],
    ['redrive --resume last', '--resume takes the id of a run'],
    ['list --quue x', '--quue'],
    ['list --yes --include rubbish', 'list takes no --yes: it takes --queue, --handler'],
    ['show x --limit foo', 'show takes no --limit: it has no options of its own'],
  ] as const) {
    const result = parsed(...line.split(' '));
    assert.ok(result.kind === 'invalid' && result.message.includes(complaint), `${line}: ${JSON.stringify(result)}`);
  }
});

test.run();
