// test-deadline: 300s
import { Redis } from 'ioredis';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { waitFor } from '../../core/testing/wait-for.ts';
import { isAlive } from './child-process.ts';
import { type Stack, readStackFile } from './stack-file.ts';

/** Runs a checked load and does something to the system as soon as the first events are being worked. */
async function runWith(disturb: (stack: Stack) => Promise<void>) {
  const dir = mkdtempSync(join(tmpdir(), 'laneway-once-test-'));
  chmodSync(dir, 0o755);
  const child = spawn(
    process.execPath,
    [
      join(import.meta.dirname, 'start.ts'),
      ...['--once', '--events', '300', '--merchants', '20', '--seed', '7', '--json', '--data', dir],
    ],
    // A short lease: what the killed worker held is taken over when it has run out.
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LANEWAY_LEASE_MS: '8000' } },
  );
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  const closed = once(child, 'close');
  let workers: Stack['workers'] = [];
  try {
    const isSent = () => output.stderr.includes('✓ sent');
    await waitFor('the load to be sent', () => child.exitCode !== null || isSent(), { timeoutMs: 90_000 });
    assert.ok(isSent(), output.stderr);
    const stack = readStackFile(join(dir, 'stack.json'));
    workers = stack.workers;
    await disturb(stack);
    await closed;
  } finally {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    await closed;
    rmSync(dir, { recursive: true, force: true });
  }
  for (const { pid } of workers) assert.not.ok(isAlive(pid), `worker ${pid} was left running`);
  return { exitCode: child.exitCode, ...output };
}

function isFaultless({ exitCode, stdout, stderr }: Awaited<ReturnType<typeof runWith>>): void {
  const lines = stdout.trimEnd().split('\n');
  assert.is(lines.length, 1, stdout);
  const { events, seed, lost, duplicated, reordered, poison, deadLettered, deadLetteredBy, applied, reports } =
    JSON.parse(lines[0] ?? '');
  assert.equal(
    { events, seed, lost, duplicated, reordered },
    { events: 300, seed: 7, lost: 0, duplicated: 0, reordered: 0 },
    stderr,
  );
  assert.ok(deadLettered >= poison, `${deadLettered} dead letters of ${poison} events that cannot be read`);
  const counts = Object.values<number>(deadLetteredBy);
  assert.is(
    counts.reduce((sum, count) => sum + count, 0),
    deadLettered,
    JSON.stringify(deadLetteredBy),
  );
  assert.ok(applied > 300, `${applied} pairs: an event of products has two handlers`);
  for (const name of ['spend', 'adSpend', 'revenue', 'roasMinorPerMillionMicros', 'commissions', 'invoices'])
    assert.is(reports[name].match, true, `${name}: ${JSON.stringify(reports[name])}`);
  assert.is(exitCode, 0, stderr);
  assert.match(stderr, /3 shops have asked for \d+ ad sets and ads/);
}

test('a worker killed and a Redis emptied in the middle of a load cost nothing', async () => {
  const run = await runWith(async ({ workers: [first], redisUrl }) => {
    process.kill(first?.pid ?? 0, 'SIGKILL');
    const redis = new Redis(redisUrl);
    assert.is(await redis.flushall(), 'OK');
    redis.disconnect();
  });
  assert.match(run.stderr, /worker-1 ended \(signal SIGKILL\), starting it again/);
  isFaultless(run);
});

test.run();
