// test-deadline: 300s
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

async function chaos(...args: string[]) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'chaos.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  await once(child, 'close');
  return { exitCode: child.exitCode, ...output };
}

test('nothing overlaps, is inverted, lost or done twice while workers and servers fail', async () => {
  const load = ['--seed', '11412', '--events', '500', '--merchants', '30', '--troubled', '8'];
  const run = await chaos(...load, '--faults', '6', '--workers', '2', '--rate', '30', '--lease-ms', '5000', '--json');
  assert.is(run.exitCode, 0, run.stderr);
  const lines = run.stdout.trimEnd().split('\n');
  assert.is(lines.length, 1, run.stdout);
  const { seed, events, overlaps, inversions, lost, duplicateEffects, stalled, redriven, faults } = JSON.parse(
    lines[0] ?? '',
  );
  assert.equal(
    { seed, events, overlaps, inversions, lost, duplicateEffects, stalled },
    { seed: 11_412, events: 500, overlaps: 0, inversions: 0, lost: 0, duplicateEffects: 0, stalled: false },
  );
  assert.ok(redriven > 0, 'no pair was parked or dead: the run has shown less than it should');
  assert.equal(
    faults.map(({ kind, target, failure }: Record<string, unknown>) => ({ kind, target, failure })),
    [
      { kind: 'messages-repeated', target: '', failure: undefined },
      { kind: 'worker-stop', target: 'worker-1', failure: undefined },
      { kind: 'connections-hung', target: 'postgres', failure: undefined },
      { kind: 'redis-flush', target: '', failure: undefined },
      { kind: 'postgres-restart', target: 'postgres', failure: undefined },
      { kind: 'worker-kill', target: 'worker-2', failure: undefined },
    ],
  );
});

test('what cannot be meant is told with the usage, and changes nothing', async () => {
  const run = await chaos('--events', 'many');
  assert.is(run.exitCode, 2);
  assert.is(run.stdout, '');
  assert.match(run.stderr, /^--events takes a whole number from 1 to 1000000, not "many"\n\nusage: npm run chaos/);
});

test.run();
