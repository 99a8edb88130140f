// test-deadline: 240s
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { copyPrefix } from './project-copy.ts';
import { tryTakeAways } from './try-take-aways.ts';
import { waitFor } from '../../core/testing/wait-for.ts';

const startCommand = (...args: string[]) => {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  const ended = once(child, 'close').then(() => ({ code: child.exitCode, ...output }));
  return { child, ended };
};

/** Copies of the project that belong to a process. */
const copiesOf = (pid: number | undefined): string[] =>
  readdirSync(tmpdir())
    .filter((name) => name.startsWith(copyPrefix))
    .map((name) => join(tmpdir(), name))
    .filter((dir) => {
      const owner = join(dir, 'owner');
      return existsSync(owner) && readFileSync(owner, 'utf8') === String(pid);
    });

test('an answer that is taken away is caught by the test that stands for it, and nothing stays behind', async () => {
  const { child, ended } = startCommand('H25', '--json');
  const { code, stdout, stderr } = await ended;
  assert.is(code, 0, stdout + stderr);
  const { caught, notCaught, notRun, trials } = JSON.parse(stdout);
  assert.equal([caught, notCaught, notRun], [2, 0, 0]);
  assert.equal(
    trials.map(({ hazard, outcome }: { hazard: string; outcome: string }) => `${hazard} ${outcome}`),
    ['H25 caught', 'H25 caught'],
  );
  assert.match(stderr, /2 caught, 0 not caught, 0 not run/);
  assert.equal(copiesOf(child.pid), []);
});

test('what is harmless, or breaks the file or the program instead of taking an answer away, is not caught', async () => {
  const pace = {
    hazard: 'H32',
    takes: 'nothing',
    file: 'workers/convoy-pace.ts',
    from: 'const FIRST = 64;',
    to: 'const FIRST = 60 + 4;',
    test: 'workers/convoy-pace.test.ts',
    expects: 'convoys grow while those that used what they were allowed are quick, up to what the settings allow',
  };
  const told: string[] = [];
  const trials = await tryTakeAways(
    [
      pace,
      { ...pace, to: 'const FIRST = ;' },
      { ...pace, from: 'Math.min(most, FIRST)', to: 'nowhere.at' },
      { ...pace, to: 'const FIRST = 32;' },
      {
        ...{ ...pace, to: 'const FIRST = 32;', expects: 'does not hold' },
        test: 'ops/testing-fixtures/must-fail/failing-assertion.fixture.ts',
      },
      { ...pace, expects: 'no such title' },
    ],
    { signal: new AbortController().signal, told: ({ outcome }) => told.push(outcome) },
  );
  assert.equal(
    trials.map(({ outcome, why }) => `${outcome}: ${why.split(/[:;]/, 1)[0]}`),
    [
      'not caught: the test passed',
      'not caught: the test did not fail, but',
      'not caught: what was left cannot run',
      'caught: Expected values to be strictly equal',
      'not run: fails with everything in place',
      'not run: there is no test “no such title”',
    ],
  );
  assert.equal(
    told,
    trials.map(({ outcome }) => outcome),
  );
  assert.equal(copiesOf(process.pid), []);
});

test('an interrupt ends the run and leaves nothing behind', async () => {
  const { child, ended } = startCommand('H25');
  await waitFor('the copy', () => copiesOf(child.pid).length > 0);
  child.kill('SIGINT');
  const { code, stdout } = await ended;
  assert.is(code, 130, stdout);
  assert.equal(copiesOf(child.pid), []);
});

test('a hazard that is not known, and anything else that cannot be meant, is refused with exit code 2', async () => {
  for (const [args, message] of [
    [['H39'], 'there is no hazard "H39" in docs/hazards.md\n'],
    [['--all'], "Unknown option '--all'"],
  ] as const) {
    const { code, stdout, stderr } = await startCommand(...args).ended;
    assert.equal([code, stdout], [2, '']);
    assert.ok(stderr.startsWith(message), stderr);
    assert.match(stderr, /usage: npm run must-fail/);
  }
  const help = await startCommand('--help').ended;
  assert.is(help.code, 0);
  assert.match(help.stdout, /^usage: npm run must-fail/);
});

test.run();
