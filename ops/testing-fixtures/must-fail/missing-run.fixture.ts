import { test } from 'uvu';

test('never run', () => undefined);
