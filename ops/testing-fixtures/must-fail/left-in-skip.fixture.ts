import { test } from 'uvu';

test('runs', () => undefined);
test.skip('does not run', () => undefined);

test.run();
