import { test } from 'uvu';

test.only('runs, and nothing else would', () => undefined);

test.run();
