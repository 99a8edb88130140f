import { parseArgs } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readArguments, refuseOtherOptions, timeOf } from './arguments.ts';

const refusal = (read: () => unknown): string => {
  const answer = readArguments((): unknown => read());
  return typeof answer === 'object' && answer !== null && 'message' in answer ? String(answer.message) : 'accepted';
};

test('a time has its zone, a day begins in UTC, and what no calendar has is refused', () => {
  const iso = (text: string): string => timeOf('--since', text).toISOString();
  assert.is(iso('2026-11-28T22:00Z'), '2026-11-28T22:00:00.000Z');
  assert.is(iso('2026-11-28T22:00:01.5+02:00'), '2026-11-28T20:00:01.500Z');
  assert.is(iso('2026-11-28'), '2026-11-28T00:00:00.000Z');
  assert.is(
    refusal(() => timeOf('--since', '2026-11-28T22:00')),
    '--since takes a day, or a time with its zone such as 2026-11-28T22:00Z, not "2026-11-28T22:00"',
  );
  for (const text of ['2026-02-31', '2026-02-31T00:00Z', '2026-11-23 (foo)', '2026-11-23T25:00Z', 'Nov 23 2026', ''])
    assert.match(
      refusal(() => timeOf('--since', text)),
      '--since takes a day',
      text,
    );
});

test('what Node says of an option is told without its advice, which would not help', () => {
  const refused = (...args: string[]) =>
    refusal(() => parseArgs({ args, options: { events: { type: 'string' }, json: { type: 'boolean' } } }));
  assert.is(refused('--events', '-5'), `Option '--events' takes a value that does not begin with "-"`);
  assert.is(refused('--events', '--json'), `Option '--events' takes a value that does not begin with "-"`);
  assert.is(refused('--events'), "Option '--events <value>' argument missing");
  assert.is(refused('--foo'), "Unknown option '--foo'");
  assert.is(
    refusal(() => parseArgs({ args: ['--foo'], allowPositionals: true, options: {} })),
    "Unknown option '--foo'",
  );
  assert.throws(() => refusal(() => JSON.parse('{')), /JSON/);
});

test('an option that a command does not take is refused with those that it takes', () => {
  const taken = { list: ['limit', 'after'], show: [] };
  const refused = (command: string, given: Record<string, string | boolean | undefined>) =>
    refusal(() => refuseOtherOptions(command, given, taken));
  assert.is(refused('list', { limit: 'x', yes: true }), 'list takes no --yes: it takes --limit, --after');
  assert.is(refused('show', { limit: '' }), 'show takes no --limit: it has no options of its own');
  for (const command of ['list', 'unknown', 'toString'])
    assert.is(refused(command, { limit: '5', yes: false, by: undefined }), 'accepted');
});

test.run();
