import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { roomFor } from './lane-room.ts';

const room = (backlog: number, adding: number, memoryShare?: number) =>
  roomFor({ backlog, adding, cap: 1_000, memoryShare });

test('a lane takes pointers up to its cap, the rest waits in the inbox', () => {
  assert.is(room(10, 10), 10);
  assert.is(room(1_005, 10), 5);
  assert.is(room(100_000, 10), 0);
});

test('all lanes together shrink as Redis fills up, and stop growing before intake does', () => {
  assert.is(room(10, 10, 0.3), 10);
  assert.is(room(600, 200, 0.4), 100);
  assert.is(room(10, 10, 0.49), 10);
  assert.is(room(10, 10, 0.5), 0);
  assert.is(room(10, 10, 0.9), 0);
});

test.run();
