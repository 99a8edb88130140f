import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { commandLineOf, isAlive } from './child-process.ts';
import { recordProcesses, stopLeftovers } from './leftovers.ts';
import { isLocked, takeRunLock } from './run-lock.ts';

function setup() {
  const dir = mkdtempSync(join(tmpdir(), 'laneway-lock-'));
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) };
}

async function sleeper() {
  const child = spawn('sleep', ['300'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const exited = once(child, 'exit');
  const stop = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  return { pid: child.pid ?? 0, exited, [Symbol.asyncDispose]: stop };
}

test('a second run on the same folder is refused with pid, since when and how to stop the first', () => {
  using world = setup();
  const lock = takeRunLock(world.dir);
  assert.ok(isLocked(world.dir));
  let message = '';
  try {
    takeRunLock(world.dir);
  } catch (error) {
    message = error instanceof Error ? error.message : '';
  }
  assert.match(message, new RegExp(`already running on .*: process ${process.pid}, since \\d{4}-`));
  assert.match(message, new RegExp(`kill ${process.pid}`));
  lock.release();
  assert.not.ok(isLocked(world.dir));
  takeRunLock(world.dir).release();
});

test('a lock of a dead process, of a reused process id, or cut short is taken over', () => {
  using world = setup();
  const file = join(world.dir, 'run.lock');
  const startedAt = '2026-11-23T10:00:00.000Z';
  for (const left of [
    JSON.stringify({ pid: 4_194_303, commandLine: 'node ops/local/start.ts', startedAt }),
    JSON.stringify({ pid: process.pid, commandLine: 'something else had this id', startedAt }),
    '{"pid":',
  ]) {
    writeFileSync(file, left);
    assert.not.ok(isLocked(world.dir), left);
    takeRunLock(world.dir).release();
    assert.not.ok(existsSync(file));
  }
});

test('what a killed run left behind is ended, and a process that merely has its id is not', async () => {
  using world = setup();
  await using leftover = await sleeper();
  await using stranger = await sleeper();
  const record = recordProcesses(world.dir);
  record.add('emulator', leftover.pid);
  writeFileSync(
    join(world.dir, 'pids.json'),
    JSON.stringify([
      { name: 'emulator', pid: leftover.pid, commandLine: commandLineOf(leftover.pid) },
      { name: 'worker-1', pid: stranger.pid, commandLine: 'node workers/main.ts' },
    ]),
  );
  const lines: string[] = [];
  const stopped = stopLeftovers(world.dir, (line) => lines.push(line));
  await leftover.exited;
  await stopped;
  assert.ok(isAlive(stranger.pid));
  assert.equal(lines, [`stopping emulator (${leftover.pid}), left running by an earlier run`]);
  assert.not.ok(existsSync(join(world.dir, 'pids.json')));
});

test.run();
