import { spawn } from 'node:child_process';
import { test } from 'uvu';

test('starts a process that leaves its group', () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' });
  child.unref();
  console.log(`leaked ${child.pid}`);
});

test.run();
