import { test } from 'uvu';

test('is killed', () => {
  process.kill(process.pid, 'SIGKILL');
});

test.run();
