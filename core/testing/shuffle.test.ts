import fc from 'fast-check';
import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { handleProductCoreUpdate } from '../contexts/catalog/handle-product-core-update.ts';
import { type HandlerModule, done } from '../events/handler.ts';
import { runTwice } from './duplicate.ts';
import { lanewayEvent } from './run-handler.ts';
import { assertOrderIrrelevant } from './shuffle.ts';
import { createWorld } from './world.ts';

const change = (n: number, changedAttributes: Record<string, unknown>) =>
  lanewayEvent(n, {
    productId: 'sku-1',
    operationType: 'update',
    timestamp: `2026-11-23T10:00:0${n}.000Z`,
    changedAttributes,
  });

test('a handler that needs its events in order does not pass as one that does not', async () => {
  await using world = await createWorld();
  const events = [change(1, { title: 'Shoe' }), change(2, { priceMinor: 8_900 })];
  const inOrder = events.map((event) => ({ handler: handleProductCoreUpdate, event }));
  let refused: unknown;
  await assertOrderIrrelevant(world, fc.constant(inOrder), ['products'], { seed: 1 }).catch(
    (error: unknown) => (refused = error),
  );
  assert.match(String(refused), /Property failed after/);
});

test('a handler that adds up shows when it is run twice', async () => {
  await using world = await createWorld();
  const addsUp: HandlerModule = {
    async handle({ merchantId }, { trx }) {
      await sql`
        insert into mailbox as m (merchant_id, next_mseq, last_day, touched_at)
        values (${merchantId}, 1, '2026-11-23', '2026-11-23')
        on conflict (merchant_id) do update set next_mseq = m.next_mseq + 1
      `.execute(trx);
      return done;
    },
  };
  const { once, twice } = await runTwice(world, addsUp, [change(1, {})], ['mailbox']);
  assert.match(once, '"next_mseq": 1');
  assert.match(twice, '"next_mseq": 3');
});

test.run();
