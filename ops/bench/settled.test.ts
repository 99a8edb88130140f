import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { seedInbox } from '../../core/testing/engine.ts';
import { createWorld } from '../../core/testing/world.ts';
import { assertSettledInOrder } from './settled.ts';

/** Two merchants with two events each, settled in the order of `places`. */
async function settledWorld(places: readonly number[]) {
  const world = await createWorld();
  const { db } = world.postgres;
  const event = (merchantId: string) => ({ merchantId, eventType: 'ProductCoreDataUpdatedEvent', payload: {} });
  await seedInbox(db, [event('a'), event('a'), event('b'), event('b')]);
  for (const place of places)
    await sql`
      insert into settlements (merchant_id, day, mseq, handler, event_id, outcome, settled_at, worker, owner)
      select merchant_id, day, mseq, 'h', event_id, 'done', now(), 'w', 'o' from inbox
      order by merchant_id, mseq limit 1 offset ${place}
    `.execute(db);
  return world;
}

const refusal = async (places: readonly number[]): Promise<string> => {
  await using world = await settledWorld(places);
  return await assertSettledInOrder(world.postgres.db, 4).then(
    () => '',
    (error: unknown) => String(error),
  );
};

test('every event settled once and in order gives a figure', async () => {
  assert.is(await refusal([2, 0, 1, 3]), '');
});

test('an event that is missing or out of order gives none', async () => {
  assert.match(await refusal([0, 1, 2]), /wrong result.*"settled":3/);
  assert.match(await refusal([1, 0, 2, 3]), /wrong result.*"disordered":2/);
});

test.run();
