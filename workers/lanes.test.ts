import { Queue } from 'bullmq';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createLanes } from './lanes.ts';
import { connectRedis } from '../core/clients/redis.ts';
import { laneQueueName } from '../core/runtime/queue-names.ts';
import { systemClock } from '../core/runtime/clock.ts';
import { silentLog } from '../core/runtime/log.ts';
import { unusedPrefix } from '../core/testing/world.ts';

function setup(cap = 1_000) {
  const world = unusedPrefix();
  const redis = connectRedis(world.redisUrl, 'test');
  const lanes = createLanes({ redis, prefix: world.stack, cap, clock: systemClock, log: silentLog });
  return {
    lanes,
    redis,
    keys: () => redis.keys(`${world.stack}:*`),
    waiting: async (merchantId: string) => {
      const queue = new Queue(laneQueueName(merchantId), {
        connection: redis,
        prefix: world.stack,
        skipMetasUpdate: true,
      });
      const jobs = await queue.getJobs(['wait'], 0, -1, true);
      return jobs.map((job) => Number(job.data.mseq));
    },
    [Symbol.dispose]: () => redis.disconnect(),
  };
}

const pointer = (mseq: number) => ({ mseq, type: 'TestEvent', correlationId: `c-${mseq}` });

test('a lane is a BullMQ queue that shows what is pending, in order, without payloads', async () => {
  using at = setup();
  await at.lanes.addPointers([{ merchantId: 'a:b{}', pointers: [pointer(1), pointer(2), pointer(3)], backlog: 3 }]);
  assert.equal(await at.waiting('a:b{}'), [1, 2, 3]);
});

test('trimming removes what the cursor passed and keeps the rest, also where pointers came out of order', async () => {
  using at = setup();
  await at.lanes.addPointers([{ merchantId: 'm', pointers: [1, 2, 5, 3, 4].map(pointer), backlog: 5 }]);
  await at.lanes.trim([{ merchantId: 'm', cursor: 2 }]);
  assert.equal(await at.waiting('m'), [5, 3, 4]);
  await at.lanes.trim([{ merchantId: 'm', cursor: 4 }]);
  assert.equal(await at.waiting('m'), [5, 3, 4], 'a newer one in front waits for its own turn');
  await at.lanes.trim([{ merchantId: 'm', cursor: 5 }]);
  assert.equal(await at.waiting('m'), []);
});

test('trimming is one command, however many pointers go', async () => {
  using at = setup();
  const pointers = Array.from({ length: 300 }, (_, i) => pointer(i + 1));
  await at.lanes.addPointers([{ merchantId: 'm', pointers, backlog: 300 }]);
  // The first call may have to bring the script along.
  await at.lanes.trim([{ merchantId: 'm', cursor: 0 }]);
  let commands = 0;
  const send = at.redis.sendCommand.bind(at.redis);
  at.redis.sendCommand = (...args) => {
    commands += 1;
    return send(...args);
  };
  await at.lanes.trim([{ merchantId: 'm', cursor: 299 }]);
  assert.is(commands, 1);
  at.redis.sendCommand = send;
  assert.equal(await at.waiting('m'), [300]);
});

test('an idle lane leaves no key behind', async () => {
  using at = setup();
  await at.lanes.addPointers([{ merchantId: 'm', pointers: [pointer(1), pointer(2)], backlog: 2 }]);
  assert.ok((await at.keys()).length > 0);
  await at.lanes.trim([{ merchantId: 'm', cursor: 2 }]);
  assert.equal(await at.keys(), []);
});

test('a lane holds at most its cap, whatever the backlog', async () => {
  using at = setup(10);
  const some = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => pointer(from + i));
  await at.lanes.addPointers([{ merchantId: 'm', pointers: some(1, 8), backlog: 8 }]);
  await at.lanes.addPointers([{ merchantId: 'm', pointers: some(9, 16), backlog: 16 }]);
  await at.lanes.addPointers([{ merchantId: 'm', pointers: some(17, 20), backlog: 20 }]);
  assert.equal(await at.waiting('m'), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

test('a pointer added twice is there once', async () => {
  using at = setup();
  const entry = { merchantId: 'm', pointers: [pointer(1)], backlog: 1 };
  await at.lanes.addPointers([entry]);
  await at.lanes.addPointers([entry]);
  assert.equal(await at.waiting('m'), [1]);
});

test('Redis being away is no error for whoever adds or trims', async () => {
  using at = setup();
  at.redis.disconnect();
  await at.lanes.addPointers([{ merchantId: 'm', pointers: [pointer(1)], backlog: 1 }]);
  await at.lanes.trim([{ merchantId: 'm', cursor: 1 }]);
});

test.run();
