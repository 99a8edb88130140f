import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseOptions } from './options.ts';

const invalid = (...args: string[]): string => {
  const parsed = parseOptions(args);
  return parsed.kind === 'invalid' ? parsed.message : `accepted as ${parsed.kind}`;
};

test('without flags the system runs on, with demo load and two workers', () => {
  assert.equal(parseOptions([]), {
    kind: 'start',
    options: {
      once: false,
      events: 1_000,
      merchants: 50,
      seed: undefined,
      json: false,
      demo: true,
      fresh: false,
      workers: 2,
      gatewayPort: undefined,
      opsPort: undefined,
      dataDir: undefined,
    },
  });
});

test('every flag is read', () => {
  const parsed = parseOptions(
    '--once --events 5000 --merchants 200 --seed 7 --json --no-demo --fresh --workers 4 --port-gateway 9001 --port-ops 9002 --data x'.split(
      ' ',
    ),
  );
  assert.equal(parsed, {
    kind: 'start',
    options: {
      once: true,
      events: 5_000,
      merchants: 200,
      seed: 7,
      json: true,
      demo: false,
      fresh: true,
      workers: 4,
      gatewayPort: 9_001,
      opsPort: 9_002,
      dataDir: 'x',
    },
  });
});

test('a flag that does not exist is refused by name', () => {
  assert.match(invalid('--onec'), /--onec/);
  assert.match(invalid('once'), /once/);
});

test('a value that is not a number in range is refused with what would be', () => {
  assert.is(invalid('--once', '--events', 'many'), '--events takes a whole number from 1 to 10000000, not "many"');
  assert.match(invalid('--workers', '0'), /--workers takes a whole number from 1 to 64/);
  assert.match(invalid('--port-gateway', '70000'), /--port-gateway takes/);
  assert.match(invalid('--once', '--seed', '1.5'), /--seed takes/);
  assert.match(invalid('--workers'), /--workers/);
});

test('flags of a load are refused where no load is sent', () => {
  assert.is(invalid('--events', '10'), '--events only makes sense with --once');
});

test('npm start answers a wrong flag with the fault, the usage and exit code 2', () => {
  const run = spawnSync(process.execPath, [join(import.meta.dirname, 'start.ts'), '--wrong'], { encoding: 'utf8' });
  assert.is(run.status, 2);
  assert.is(run.stdout, '');
  assert.match(run.stderr, /--wrong/);
  assert.match(run.stderr, /usage: npm start/);
});

test('--help prints the usage and starts nothing', () => {
  const run = spawnSync(process.execPath, [join(import.meta.dirname, 'start.ts'), '--help'], { encoding: 'utf8' });
  assert.is(run.status, 0);
  assert.match(run.stdout, /usage: npm start/);
});

test.run();
