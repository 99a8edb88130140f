import { test } from 'uvu';

test('waits for what never comes', () => new Promise<void>(() => undefined));

test.run();
