import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { waitFor } from '../../core/testing/wait-for.ts';
import { isAlive } from './child-process.ts';
import { type Server, keepServer } from './keep-server.ts';

/** A process that stands for a server: `sleep`, on a port that nobody asks. */
async function startSleeper(onUnexpectedExit: (reason: string) => void): Promise<Server> {
  const child = spawn('sleep', ['300'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const exited = once(child, 'exit');
  let stopping = false;
  void exited.then(() => {
    if (!stopping) onUnexpectedExit('the sleeper is gone');
  });
  return {
    port: 1,
    pid: child.pid ?? 0,
    async stop() {
      stopping = true;
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function setup(start: (onUnexpectedExit: (reason: string) => void) => Promise<Server> = startSleeper) {
  const lines: string[] = [];
  const running = new Set<number>();
  const restarts = { done: 0 };
  const kept = keepServer({
    name: 'sleeper',
    start,
    log: (line) => lines.push(line),
    onSpawn: (_, pid) => running.add(pid),
    onExit: (pid) => running.delete(pid),
    afterRestart: async () => void (restarts.done += 1),
  });
  return { lines, running, restarts, kept };
}

test('a server that is killed is started again, and what it forgot is put back', async () => {
  const { kept, running, restarts, lines } = setup();
  const server = await kept;
  const { pid } = server.current;
  process.kill(pid, 'SIGKILL');
  await waitFor('the restart', () => restarts.done === 1 && lines.at(-1)?.startsWith('sleeper is back'));
  assert.is.not(server.current.pid, pid);
  assert.equal([...running], [server.current.pid]);
  const last = server.current.pid;
  await server.stop();
  assert.not.ok(isAlive(last));
  assert.equal([...running], []);
});

test('a server that does not come back at once is tried again', async () => {
  let starts = 0;
  const { kept, lines } = setup(async (onUnexpectedExit) => {
    starts += 1;
    if (starts === 2) throw new Error('the port is taken');
    return await startSleeper(onUnexpectedExit);
  });
  const server = await kept;
  process.kill(server.current.pid, 'SIGKILL');
  await waitFor('the second attempt', () => lines.at(-1)?.startsWith('sleeper is back'));
  assert.ok(lines.some((line) => line.includes('did not come back: the port is taken')));
  await server.stop();
});

test('a server that fails at its first start is not tried again', async () => {
  let starts = 0;
  const { kept } = setup(async () => {
    starts += 1;
    throw new Error('there is no such program');
  });
  let message = '';
  await kept.catch((error: unknown) => (message = String(error)));
  assert.is(message, 'Error: there is no such program');
  assert.is(starts, 1);
});

test('stopping while a restart is due leaves nothing running', async () => {
  const { kept, running, lines } = setup();
  const server = await kept;
  process.kill(server.current.pid, 'SIGKILL');
  await waitFor('the death to be noticed', () => lines.length === 1);
  await server.stop();
  assert.equal([...running], []);
});

test.run();
