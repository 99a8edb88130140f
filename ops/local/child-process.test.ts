import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { waitFor } from '../../core/testing/wait-for.ts';
import { type ChildExit, type ChildOptions, commandLineOf, isAlive, startChild, stopPid } from './child-process.ts';

function setup() {
  const dir = mkdtempSync(join(tmpdir(), 'laneway-child-'));
  const readyFile = join(dir, 'ready');
  const logFile = join(dir, 'log');
  const announce = `require('fs').writeFileSync(${JSON.stringify(readyFile)}, String(process.pid));`;
  return {
    dir,
    readyFile,
    logFile,
    announce,
    start: (script: string, more: Partial<ChildOptions> = {}) =>
      startChild({
        name: 'the child',
        command: process.execPath,
        args: ['-e', script],
        logFile,
        ready: () => contentOf(readyFile) !== '',
        ...more,
      }),
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}

// the file is there before its content is
const contentOf = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8') : '');
const forever = 'setInterval(() => {}, 1000);';
const messageOf = (attempt: Promise<unknown>) =>
  attempt.then(
    () => '',
    (error: unknown) => (error instanceof Error ? error.message : ''),
  );

test('a child is running once its probe succeeded, and stops when asked', async () => {
  using world = setup();
  const child = await world.start(`console.log('hello'); ${world.announce} ${forever}`);
  assert.ok(child.running);
  assert.is(readFileSync(world.readyFile, 'utf8'), String(child.pid));
  assert.match(commandLineOf(child.pid), 'setInterval');
  const exit = await child.stop();
  assert.is(exit.signal, 'SIGTERM');
  assert.not(isAlive(child.pid));
  assert.equal(await child.stop(), exit);
  assert.is(readFileSync(world.logFile, 'utf8'), 'hello\n');
});

test('a child that ignores SIGTERM is killed after the grace period', async () => {
  using world = setup();
  const child = await world.start(`process.on('SIGTERM', () => {}); ${world.announce} ${forever}`, { graceMs: 100 });
  assert.is((await child.stop()).signal, 'SIGKILL');
});

test('a child that exits while starting is an error that shows the end of its log', async () => {
  using world = setup();
  const message = await messageOf(world.start(`console.error('no port left'); process.exit(3);`));
  assert.match(message, 'the child exited while starting (code 3)');
  assert.match(message, 'no port left');
});

test('a child that never becomes ready is stopped at the deadline', async () => {
  using world = setup();
  let pid = 0;
  const script = `console.log(process.pid); ${forever}`;
  const ready = () => {
    pid = Number(readFileSync(world.logFile, 'utf8'));
    return false;
  };
  assert.match(await messageOf(world.start(script, { ready, readyTimeoutMs: 1_500 })), 'was not ready after 1500 ms');
  assert.ok(pid > 0);
  assert.not(isAlive(pid));
});

test('a command that does not exist is an error', async () => {
  using world = setup();
  assert.match(await messageOf(world.start('', { command: join(world.dir, 'missing') })), 'could not be started');
});

test('an exit that nobody asked for is reported, one that was asked for is not', async () => {
  using world = setup();
  const exits: ChildExit[] = [];
  const onUnexpectedExit = (exit: ChildExit) => void exits.push(exit);
  const killed = await world.start(`${world.announce} ${forever}`, { onUnexpectedExit });
  process.kill(killed.pid, 'SIGKILL');
  await killed.exited;
  assert.not(killed.running);
  const stopped = await world.start(`${world.announce} ${forever}`, { onUnexpectedExit });
  await stopped.stop();
  assert.equal(exits, [{ code: null, signal: 'SIGKILL' }]);
});

test('a child that watches its parent goes when the parent is killed', async () => {
  using world = setup();
  const module = JSON.stringify(join(import.meta.dirname, 'child-process.ts'));
  const child = `import(${module}).then(({ exitWithParent }) => {
    exitWithParent(() => process.exit(0)); ${world.announce} ${forever} });`;
  const parentFile = join(world.dir, 'parent.mjs');
  writeFileSync(
    parentFile,
    `import { startChild } from ${module};
     import { existsSync } from 'node:fs';
     await startChild({ name: 'x', command: process.execPath, args: ['-e', ${JSON.stringify(child)}], watchParent: true,
       logFile: ${JSON.stringify(world.logFile)}, ready: () => existsSync(${JSON.stringify(world.readyFile)}) });
     console.log('started');`,
  );
  const parent = spawn(process.execPath, [parentFile], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(parent.stdout, 'data');
  // The file is there before what is in it.
  const pid = await waitFor('its process id', () => Number(readFileSync(world.readyFile, 'utf8')) || undefined);
  assert.ok(isAlive(pid));
  parent.kill('SIGKILL');
  await waitFor('the child to go', () => !isAlive(pid));
});

test('a process that ended counts as gone, also while nobody reaps it', async () => {
  // the shell starts a child and becomes `sleep`, which knows of no child and never asks for its exit
  const parent = spawn('sh', ['-c', 'true & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line]: unknown[] = await once(parent.stdout, 'data');
  const pid = Number(String(line));
  await waitFor('the child to end', () => !isAlive(pid));
  parent.kill('SIGKILL');
  await once(parent, 'exit');
});

test('stopPid stops a process that is not a child, and takes one that is gone for stopped', async () => {
  using world = setup();
  const child = await world.start(`process.on('SIGTERM', () => {}); ${world.announce} ${forever}`);
  await stopPid(child.pid, 'SIGTERM', 100);
  assert.not(isAlive(child.pid));
  await stopPid(child.pid);
});

test.run();
