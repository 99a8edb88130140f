import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createWorld } from '../../core/testing/world.ts';
import { product, setUpGivenUp } from './testing/given-up.ts';

test('the command finds the queues of its stack, answers in JSON alone, and says when something is left', async () => {
  await using t = await setUpGivenUp(await createWorld());
  t.broken.add('e1');
  await t.send(product('e1', 'shop-1'));
  await t.intake(1);
  await t.visit('shop-1');
  await t.lettersArrive(1);
  const url = new URL(t.world.postgresUrl);
  url.searchParams.set('options', '-c role=laneway_operator');
  const run = async (args: readonly string[]) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        LANEWAY_STACK: t.world.stack,
        LANEWAY_POSTGRES_URL: url.toString(),
        LANEWAY_REDIS_URL: t.world.redisUrl,
      },
    });
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    return { code: child.exitCode, stdout, stderr };
  };
  const planned = await run(['redrive', '--json']);
  assert.equal([planned.code, planned.stderr], [0, '']);
  const { dryRun, chosen, items } = JSON.parse(planned.stdout);
  assert.equal([dryRun, chosen, items[0].eventId, items[0].order], [true, 1, 'e1', 'safe']);

  // No worker runs here: the command is recorded and stays open.
  const redriven = await run(['redrive', '--yes', '--reason', 'mended', '--wait', '0', '--json']);
  const { run: runId, open, complete } = JSON.parse(redriven.stdout);
  assert.equal([redriven.code, open, complete], [1, 1, false]);
  t.broken.clear();
  await t.visit('shop-1');
  const resumed = await run(['redrive', '--resume', runId]);
  assert.is(resumed.code, 0, resumed.stderr);
  assert.match(resumed.stdout, 'done 1; 1 dead letters removed');
  const unknown = await run(['show', 'h-nothing']);
  assert.equal([unknown.code, unknown.stdout], [2, '']);
  assert.match(unknown.stderr, 'nothing that was given up has the id h-nothing');
});

test.run();
