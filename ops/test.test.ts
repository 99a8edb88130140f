import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { waitFor } from '../core/testing/wait-for.ts';

const runner = join(import.meta.dirname, 'test.ts');
const fixtures = join(import.meta.dirname, 'testing-fixtures');

interface Outcome {
  code: number | null;
  stdout: string;
  lastLine: string;
}

function startRunner(args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [runner, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const read = async (): Promise<Outcome> => {
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
    await once(child, 'close');
    return { code: child.exitCode, stdout, lastLine: stdout.trimEnd().split('\n').at(-1) ?? '' };
  };
  return { child, outcome: read() };
}

const run = (args: string[], env?: Record<string, string>) => startRunner(args, env).outcome;
const runFixture = (name: string, ...args: string[]) => run(['--files', join(fixtures, `${name}.fixture.ts`), ...args]);

function isAlive(pid: number): boolean {
  // a dead process stays in the table until somebody reaps it
  if (existsSync('/proc/self/stat')) {
    return existsSync(`/proc/${pid}/stat`) && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  }
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function inTempFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'runner-'));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Each broken file, the last line of the run and the reason given. */
const mustFail: Record<string, [lastLine: string, problem: string]> = {
  'detached-child': ['1 passed, 1 failed', 'left processes running'],
  'does-not-load': ['0 passed, 1 failed', 'exit code 1'],
  'early-exit': ['0 passed, 1 failed', "uvu's summary is missing"],
  'failing-after-each': ['0 passed, 1 failed', '0 of 1 passed'],
  'failing-assertion': ['1 passed, 1 failed', '1 of 2 passed'],
  killed: ['0 passed, 1 failed', 'killed by SIGKILL'],
  'leaked-child': ['1 passed, 1 failed', 'left processes running'],
  'leaked-handle': ['1 passed, 1 failed', 'not finished after 3 s'],
  'left-in-only': ['1 passed, 1 failed', 'test.only(…) is left in'],
  'left-in-skip': ['1 passed, 1 failed', 'test.skip(…) is left in'],
  'missing-run': ['0 passed, 1 failed', 'test.run() is missing after the last test'],
  'never-settles': ['0 passed, 1 failed', 'exit code 1'],
  'no-tests': ['0 passed, 1 failed', 'no tests'],
  'run-too-early': ['2 passed, 1 failed', 'second.run() is missing after the last test'],
  'throwing-after': ['0 passed, 1 failed', 'exit code 1'],
  'throwing-before': ['0 passed, 2 failed', '0 of 2 passed'],
  'thrown-non-error': ['0 passed, 2 failed', '0 of 2 passed'],
  'unhandled-rejection': ['0 passed, 1 failed', 'exit code 1'],
};

test('every must-fail fixture has its expectation', () => {
  assert.equal(
    readdirSync(join(fixtures, 'must-fail')).map((file) => file.replace('.fixture.ts', '')),
    Object.keys(mustFail),
  );
});

// these take seconds by their nature: let them take them while the others run
const slow = new Map(
  ['detached-child', 'leaked-child', 'leaked-handle'].map((name) => [name, runFixture(`must-fail/${name}`)]),
);

for (const [name, [lastLine, problem]] of Object.entries(mustFail)) {
  test(`fails a file: ${name}`, async () => {
    const outcome = await (slow.get(name) ?? runFixture(`must-fail/${name}`));
    assert.is(outcome.code, 1);
    assert.is(outcome.lastLine, lastLine);
    assert.ok(outcome.stdout.includes(`     ${problem}`), outcome.stdout);
    const leaked = /leaked (\d+)/.exec(outcome.stdout)?.[1];
    if (name.endsWith('-child')) assert.not(isAlive(Number(leaked)), `${leaked} still runs`);
  });
}

test('passes a sound file', async () => {
  const outcome = await runFixture('passing');
  assert.is(outcome.code, 0);
  assert.match(outcome.stdout, /^ok {3}ops\/testing-fixtures\/passing\.fixture\.ts {2}2\/2 {2}/);
  assert.is(outcome.lastLine, '2 passed, 0 failed');
});

test('one broken file among sound ones fails the run', async () => {
  const outcome = await runFixture('passing', join(fixtures, 'must-fail/failing-assertion.fixture.ts'));
  assert.is(outcome.code, 1);
  assert.is(outcome.lastLine, '3 passed, 1 failed');
});

test('shows as many of the last lines of a failing file as it is asked for', async () => {
  const shown = async (...args: string[]) => {
    const { stdout } = await runFixture('must-fail/failing-assertion', ...args);
    return { lines: stdout.match(/^ {5}\| /gm)?.length ?? 0, cut: stdout.includes('lines left out') };
  };
  assert.equal(await shown('--tail', '3'), { lines: 3, cut: true });
  assert.is((await shown()).cut, false);
});

test('fails when no file was selected', async () => {
  const outcome = await run(['no file is called like this']);
  assert.is(outcome.code, 1);
  assert.is(outcome.lastLine, '0 passed, 0 failed');
});

test('lists test files by filter, and no fixtures', async () => {
  assert.is((await run(['--list', './ops/test.test'])).stdout, 'ops/test.test.ts\n');
  assert.is((await run(['--list', 'fixture'])).stdout, '');
});

test('hands out the environment of the testing stack and stops it', async () => {
  await inTempFolder(async (folder) => {
    const stopped = join(folder, 'stopped');
    const args = ['--stack', join(fixtures, 'stack.fixture.ts'), '--files', join(fixtures, 'needs-stack.fixture.ts')];
    const outcome = await run(args, { STACK_FIXTURE_STOPPED: stopped });
    assert.is(outcome.lastLine, '1 passed, 0 failed');
    assert.is(outcome.code, 0);
    assert.ok(existsSync(stopped));
  });
});

test('starts no stack for files that do not use it', async () => {
  const outcome = await runFixture('passing', '--stack', join(fixtures, 'broken-stack.fixture.ts'));
  assert.is(outcome.lastLine, '2 passed, 0 failed');
});

test('fails when the testing stack cannot start or stop', async () => {
  const broken = await runFixture('needs-stack', '--stack', join(fixtures, 'broken-stack.fixture.ts'));
  assert.is(broken.code, 1);
  assert.match(broken.stdout, /port in use/);
  assert.is(broken.lastLine, '0 passed, 1 failed');

  // without a file to write, the stack's stop throws
  const stuck = await runFixture('needs-stack', '--stack', join(fixtures, 'stack.fixture.ts'));
  assert.is(stuck.code, 1);
  assert.is(stuck.lastLine, '1 passed, 1 failed');
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} ends the tests, what they started, and the stack`, async () => {
    await inTempFolder(async (folder) => {
      const pids = join(folder, 'pids');
      const stopped = join(folder, 'stopped');
      const files = ['waits-for-interrupt', 'needs-stack'].map((name) => join(fixtures, `${name}.fixture.ts`));
      const { child, outcome } = startRunner(['--stack', join(fixtures, 'stack.fixture.ts'), '--files', ...files], {
        INTERRUPT_FIXTURE_PIDS: pids,
        STACK_FIXTURE_STOPPED: stopped,
      });
      const running = await waitFor('the test to start', () => (existsSync(pids) ? readFileSync(pids, 'utf8') : ''));
      child.kill(signal);
      const { code, lastLine } = await outcome;
      assert.is(code, 1);
      assert.match(lastLine, /^\d passed, [12] failed$/);
      assert.equal(running.split(' ').map(Number).filter(isAlive), []);
      assert.ok(existsSync(stopped));
    });
  });
}

test.run();
