import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { waitFor } from '../../core/testing/wait-for.ts';
import { isAlive } from './child-process.ts';
import { type SuperviseOptions, restartDelayMs, supervise } from './supervisor.ts';

function setup() {
  const dir = mkdtempSync(join(tmpdir(), 'laneway-supervisor-'));
  const lines: string[] = [];
  const spawned: number[] = [];
  const start = (name: string, args: string[] = [], more: Partial<SuperviseOptions> = {}) =>
    supervise({
      name,
      script: join(import.meta.dirname, 'fixtures/supervised.fixture.ts'),
      args,
      env: { PATH: process.env['PATH'] ?? '' },
      logFile: join(dir, `${name}.log`),
      log: (line) => lines.push(line),
      onSpawn: (pid) => spawned.push(pid),
      backoff: { baseMs: 10, capMs: 40, settledAfterMs: 60_000 },
      ...more,
    });
  return { lines, spawned, start, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) };
}

test('a process that is killed is replaced, and the other one keeps running', async () => {
  using world = setup();
  const [one, two] = await Promise.all([world.start('one'), world.start('two')]);
  const [before, other] = [one.pid, two.pid];
  assert.is(one.url, 'http://127.0.0.1:1/');
  process.kill(before ?? 0, 'SIGKILL');
  const after = await waitFor('a new process', () => (one.pid === before ? undefined : one.pid));
  await waitFor('it to be ready', () => world.lines.some((line) => line === `one is back (${after})`));
  assert.ok(isAlive(after));
  assert.is(two.pid, other);
  assert.match(world.lines[0] ?? '', /^one ended \(signal SIGKILL\), starting it again in 10 ms/);
  await Promise.all([one.stop(), two.stop()]);
  for (const pid of world.spawned) assert.not.ok(isAlive(pid), `${pid} was left running`);
});

test('whoever is told of a start or an end finds the process id changed already', async () => {
  using world = setup();
  const seen: (number | undefined)[] = [];
  const started: { pid: number | undefined }[] = [];
  const look = () => started.forEach(({ pid }) => seen.push(pid));
  const child = await world.start('told', [], { onSpawn: look, onExit: look });
  started.push(child);
  const before = child.pid;
  process.kill(before ?? 0, 'SIGKILL');
  await waitFor('the restart', () => seen.length === 2);
  assert.is(seen[0], undefined);
  assert.is(seen[1], child.pid);
  assert.is.not(seen[1], before);
  await child.stop();
});

test('each death after a short life waits twice as long, up to a cap, and a long life starts over', async () => {
  assert.equal(
    [1, 2, 3, 6, 7, 50].map((deaths) => restartDelayMs(deaths)),
    [200, 400, 800, 6_400, 10_000, 10_000],
  );
  using world = setup();
  const child = await world.start('short');
  for (const death of [1, 2, 3, 4]) {
    const pid = await waitFor('a process', () => child.pid);
    process.kill(pid, 'SIGKILL');
    await waitFor(
      'its death to be noticed',
      () => world.lines.filter((line) => line.includes('ended')).length === death,
    );
  }
  await child.stop();
  const waits = world.lines.flatMap((line) => /in (\d+) ms/.exec(line)?.[1] ?? []);
  assert.equal(waits, ['10', '20', '40', '40']);

  using calm = setup();
  const settled = await calm.start('settled', [], { backoff: { baseMs: 10, capMs: 40, settledAfterMs: 0 } });
  for (const death of [1, 2]) {
    process.kill(await waitFor('a process', () => settled.pid), 'SIGKILL');
    await waitFor('its death', () => calm.lines.filter((line) => line.includes('in 10 ms')).length === death);
  }
  await settled.stop();
});

test('a process that fails at its first start is reported with the end of its log and not tried again', async () => {
  using world = setup();
  let message = '';
  await world.start('broken', ['never']).catch((error: unknown) => (message = String(error)));
  assert.match(message, /broken did not start \(code 3\)/);
  assert.match(message, /this fixture never becomes ready/);
  assert.is(world.spawned.length, 1);
});

test('a process that ignores SIGTERM is killed after the grace', async () => {
  using world = setup();
  const child = await world.start('stubborn', ['stubborn'], { graceMs: 50 });
  const { pid } = child;
  await child.stop();
  assert.is(child.pid, undefined);
  assert.not.ok(isAlive(pid ?? 0));
});

test('stopping while a restart is due starts nothing', async () => {
  using world = setup();
  const child = await world.start('resting', [], {
    backoff: { baseMs: 60_000, capMs: 60_000, settledAfterMs: 60_000 },
  });
  process.kill(child.pid ?? 0, 'SIGKILL');
  await waitFor('the death to be noticed', () => world.lines.length === 1);
  await child.stop();
  assert.is(world.spawned.length, 1);
});

test.run();
