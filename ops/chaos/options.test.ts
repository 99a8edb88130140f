import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseChaosOptions } from './options.ts';

test('what is left out follows from the number of events: a fault every 800, five seconds between them', () => {
  assert.equal(parseChaosOptions(['--seed', '7']), {
    kind: 'run',
    options: {
      seed: 7,
      merchants: 200,
      events: 20_000,
      faults: 25,
      workers: 3,
      rate: 160,
      troubled: 0.08,
      leaseMs: 8_000,
      mix: false,
      json: false,
      dataDir: undefined,
    },
  });
});

test('without a seed there is one to be told afterwards', () => {
  const parsed = parseChaosOptions([]);
  assert.ok(parsed.kind === 'run' && Number.isInteger(parsed.options.seed));
});

test('what cannot be meant is refused by name', () => {
  const messages = [
    ['--events', '0'],
    ['--seed', '1.5'],
    ['--troubled', '101'],
    ['--data', ''],
    ['--fault', '3'],
  ].map((args) => {
    const parsed = parseChaosOptions(args);
    return parsed.kind === 'invalid' ? parsed.message : parsed.kind;
  });
  assert.equal(messages, [
    '--events takes a whole number from 1 to 1000000, not "0"',
    '--seed takes a whole number from 0 to 4294967295, not "1.5"',
    '--troubled takes a whole number from 0 to 100, not "101"',
    '--data needs a folder',
    "Unknown option '--fault'",
  ]);
});

test.run();
