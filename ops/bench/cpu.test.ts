import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cpuSeconds, parseStat, treeCpuSeconds } from './cpu.ts';

test('times are read behind a command that holds brackets and spaces', () => {
  const stat = '42 (a (b) c) S 1 42 42 0 -1 4194560 1 2 3 4 150 50 25 5 20 0 7 0 100 0 0';
  assert.equal(parseStat(stat), { own: 2, reaped: 0.3 });
});

test('a process that works is charged for it, and its tree at least as much', () => {
  const before = cpuSeconds(process.pid);
  const until = process.cpuUsage().user + 200_000;
  while (process.cpuUsage().user < until) Math.sqrt(until);
  assert.ok(cpuSeconds(process.pid) >= before + 0.1);
  assert.ok(treeCpuSeconds(process.pid) >= cpuSeconds(process.pid) - 0.01);
});

test('a process that does not exist has no figure', () => {
  assert.throws(() => cpuSeconds(4_194_303), /ENOENT/);
});

test.run();
