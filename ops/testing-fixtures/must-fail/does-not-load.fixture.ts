import { test } from 'uvu';

test('never run', () => undefined);
test.run();

const load = (): void => {
  throw new Error('broken at import');
};
load();

test.run();
