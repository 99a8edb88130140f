import type { Redis } from 'ioredis';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { connectRedis } from '../core/clients/redis.ts';
import { systemClock as clock } from '../core/runtime/clock.ts';
import { silentLog as log } from '../core/runtime/log.ts';
import { endMaintenance, planMaintenance } from '../core/contexts/platform/writes.ts';
import { createWorld } from '../core/testing/world.ts';
import { createIntakeGate } from './intake-gate.ts';

test('intake closes in maintenance, before Redis is full and while Postgres is away, says why, and tells how full Redis is', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const redis = connectRedis(world.redisUrl, world.stack);
  let memory = 'used_memory:10\r\nmaxmemory:0\r\n';
  const measured = Object.assign(Object.create(redis) as Redis, { info: () => Promise.resolve(memory) });
  const gate = createIntakeGate({ db, redis: measured, clock, log });
  await gate.check();
  assert.equal([gate.open, gate.memoryShare], [true, undefined]);
  memory = 'used_memory:59\r\nmaxmemory:100\r\n';
  await gate.check();
  assert.equal([gate.open, gate.memoryShare], [true, 0.59]);
  memory = 'used_memory:61\r\nmaxmemory:100\r\n';
  await gate.check();
  assert.equal([gate.open, gate.memoryShare], [false, 0.61]);
  assert.match(gate.reason ?? '', /^Redis uses 61 % of its memory/);
  memory = 'used_memory:10\r\nmaxmemory:100\r\n';
  await gate.check();
  assert.is(gate.open, true);

  const requester = { by: 'ada', reason: 'a new disk' };
  const startsAt = new Date(clock.now() - 1_000);
  const endsAt = new Date(clock.now() + 3_600_000);
  await planMaintenance(db, { windowId: 'w-1', startsAt, endsAt, requester }, clock.now());
  await gate.check();
  assert.match(gate.reason ?? '', /^maintenance w-1 until .*: a new disk$/);
  await endMaintenance(db, { windowId: 'w-1', requester }, clock.now());
  await gate.check();
  assert.is(gate.open, true);

  const away = createIntakeGate({ db, redis, clock, log });
  await away.check();
  assert.is(away.open, true);
  redis.disconnect();
  await away.check();
  assert.equal([away.open, away.memoryShare], [false, undefined]);
  assert.match(away.reason ?? '', /^Redis: /);
  await world.postgres.close();
  await gate.check();
  assert.match(gate.reason ?? '', /^Postgres: /);
});

test.run();
