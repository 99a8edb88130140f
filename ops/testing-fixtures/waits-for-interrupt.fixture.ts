import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { test } from 'uvu';

/** Tells its own process id and that of a process it started, then waits to be ended from outside. */
test('is interrupted', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  writeFileSync(process.env['INTERRUPT_FIXTURE_PIDS'] ?? '', `${process.pid} ${child.pid}`);
  await new Promise((resolve) => setTimeout(resolve, 3_600_000));
});

test.run();
