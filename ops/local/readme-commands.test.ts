// test-deadline: 600s
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { waitFor } from '../../core/testing/wait-for.ts';
import { projectRoot } from './data-folder.ts';

/** Every line of the README's shell blocks, as somebody would type it. */
const commands = [...readFileSync(join(projectRoot, 'README.md'), 'utf8').matchAll(/^```sh\n([^]*?)^```$/gm)]
  .flatMap(([, block = '']) => block.split('\n'))
  .map((line) => line.trim())
  .filter((line) => line !== '' && !line.startsWith('#'));

/** A checkout of its own, so that what somebody has running or keeps in `.laneway` is left alone. */
function setup() {
  const dir = mkdtempSync(join(tmpdir(), 'laneway-readme-'));
  chmodSync(dir, 0o755);
  const skipped = new Set(['node_modules', '.laneway', '.git']);
  cpSync(projectRoot, dir, { recursive: true, filter: (path) => path === projectRoot || !skipped.has(basename(path)) });
  symlinkSync(join(projectRoot, 'node_modules'), join(dir, 'node_modules'));

  const run = async (
    command: string,
    whileRunning?: (output: () => string, isOver: () => boolean) => Promise<void>,
  ) => {
    const child = spawn('sh', ['-c', `exec ${command}`], {
      cwd: dir,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const closed = once(child, 'close');
    const isOver = () => child.exitCode !== null || child.signalCode !== null;
    try {
      await whileRunning?.(() => stdout, isOver);
    } finally {
      // The whole group, as a terminal does it.
      if (whileRunning !== undefined && !isOver()) process.kill(-(child.pid ?? 0), 'SIGINT');
      await closed;
    }
    // A shell that npm puts in between dies of the terminal's signal after its command has ended well.
    const endedWell = child.exitCode === 0 || (whileRunning !== undefined && child.signalCode === 'SIGINT');
    assert.ok(endedWell, `${command}\n${stdout}\n${stderr}`);
    return stdout;
  };
  return { dir, run, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) };
}

test('the README has the two commands', () => {
  assert.ok(commands.includes('npm start'));
  assert.ok(commands.includes('npm test'));
});

test('every command of the README works as it is written there', async () => {
  using world = setup();
  for (const command of new Set(commands)) {
    // This very run.
    if (command === 'npm test') continue;
    if (command === 'npm start') {
      await world.run(command, async (output, isOver) => {
        await waitFor('the system', () => isOver() || output().includes('Stop with Ctrl-C'), { timeoutMs: 120_000 });
        assert.ok(existsSync(join(world.dir, '.laneway/stack.json')));
      });
      assert.not.ok(existsSync(join(world.dir, '.laneway/stack.json')), 'it was not stopped cleanly');
      continue;
    }
    const stdout = await world.run(command);
    if (!command.includes('--json')) continue;
    const result: unknown = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
    const { lost, duplicated, reordered } = Object(result);
    assert.equal([lost, duplicated, reordered], [0, 0, 0], command);
  }
});

test.run();
