import { spawn } from 'node:child_process';
import { test } from 'uvu';

test('starts a process it does not stop', () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
  child.unref();
  console.log(`leaked ${child.pid}`);
});

test.run();
