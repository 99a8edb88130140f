import { suite } from 'uvu';

const first = suite('first');
const second = suite('second');

first('runs', () => undefined);
first.run();

second('runs', () => undefined);
second.run();
second('is added too late', () => undefined);
