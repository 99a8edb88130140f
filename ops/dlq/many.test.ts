import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { seedInbox } from '../../core/testing/engine.ts';
import { createWorld } from '../../core/testing/world.ts';
import { type ItemFilter, effectItemId, handlerItemId } from './items.ts';
import type { DlqCommand } from './parse-arguments.ts';
import { planRedrive } from './plan.ts';
import { HANDLER, PRODUCTS_DLQ, setUpGivenUp } from './testing/given-up.ts';

const OTHER = 'handleProductDimensionUpdate';
type GivenUp = Awaited<ReturnType<typeof setUpGivenUp>>;

const filter = (wanted: Partial<ItemFilter> = {}): ItemFilter => ({
  ...{ queue: PRODUCTS_DLQ, handler: undefined, merchantId: undefined, code: undefined, since: undefined },
  ...{ until: undefined, eventId: undefined, limit: 100, after: undefined },
  ...wanted,
});
const list = (wanted: Partial<ItemFilter> = {}): DlqCommand => ({ kind: 'list', filter: filter(wanted) });
const redrive = (wanted: Partial<ItemFilter> = {}): DlqCommand => ({
  ...{ kind: 'redrive', filter: filter(wanted), include: [], perSecond: 1_000, waitMs: 5_000 },
  requester: { by: 'ada', reason: 'the cause is mended' },
});

/** Old dead pairs of events that are purged by now, all of one moment: a redrive leaves them. */
const seedPurged = (t: GivenUp, merchantId: string, count: number) =>
  sql`
    insert into settlements (merchant_id, day, mseq, handler, event_id, outcome, reason, settled_at, worker, owner)
    select ${merchantId}, current_date, n, ${HANDLER}, 'old-' || n, 'dead', 'handler.failed', now() - interval '1 hour',
      'worker', 'owner'
    from generate_series(1, ${count}::int) n
  `.execute(t.db);

/** Dead pairs of events that are there, one event each, which a redrive brings to a good end. */
async function seedRedrivable(t: GivenUp, merchantId: string, handler: string, count: number): Promise<void> {
  await seedInbox(
    t.db,
    Array.from({ length: count }, (_, n) => ({
      ...{ merchantId, eventType: 'ProductCoreDataUpdatedEvent', eventId: `${merchantId}-${n + 1}` },
      payload: { productId: `sku-${n + 1}`, operationType: 'update', timestamp: '2026-11-23T10:15:00Z' },
    })),
  );
  await t.visit(merchantId);
  await t.db
    .updateTable('settlements')
    .set({ outcome: 'dead', reason: 'payload.invalid' })
    .where('merchant_id', '=', merchantId)
    .where('handler', '=', handler)
    .execute();
}

const idsOf = (said: Record<string, unknown>) => (said['items'] as { id: string }[]).map(({ id }) => id);

test('a handler is asked for among all that was given up, not among the oldest', async () => {
  await using t = await setUpGivenUp(await createWorld());
  await seedPurged(t, 'shop-1', 101);
  await seedRedrivable(t, 'shop-2', OTHER, 1);
  const wanted = [handlerItemId('shop-2', 1, OTHER)];
  const listed = await t.run(list({ handler: OTHER }));
  assert.equal([idsOf(listed), listed['more'], listed['next']], [wanted, false, null]);
  assert.equal(idsOf(await t.run(list({ code: 'payload.invalid' }))), wanted);
  assert.equal(idsOf(await t.run(list({ handler: `${OTHER}@ad-network:meta` }))), [], 'which would be an effect');
  const run = await t.run(redrive({ handler: OTHER }));
  assert.equal([run['done'], run['complete'], run['more']], [1, true, false]);
});

test('a list that is cut says so, and goes on where it ended: every item once, in order', async () => {
  await using t = await setUpGivenUp(await createWorld());
  await seedPurged(t, 'shop-1', 101);
  const { value, text, complete } = await t.say(list());
  const cut = value as Record<string, unknown>;
  assert.equal([idsOf(cut).length, cut['more'], complete], [100, true, true]);
  const next = String(cut['next']);
  assert.match(text, '100 of more given up');
  assert.match(text, `there are more: go on with --after ${next}`);
  const rest = await t.say(list({ after: next }));
  assert.match(rest.text, '1 given up');
  assert.not.match(rest.text, 'there are more');

  const seen: string[] = [];
  for (let after: string | undefined, pages = 0; pages < 20; pages++) {
    const page = await t.run(list({ limit: 7, after }));
    seen.push(...idsOf(page));
    if (page['next'] === null) break;
    after = page['next'] as string;
  }
  assert.equal(
    seen,
    Array.from({ length: 101 }, (_, n) => handlerItemId('shop-1', n + 1, HANDLER)),
  );
});

test('a redrive that leaves some because of its limit is not complete; the next one takes them', async () => {
  await using t = await setUpGivenUp(await createWorld());
  await seedRedrivable(t, 'shop-1', HANDLER, 3);
  const { value, text, complete } = await t.say(redrive({ limit: 2 }));
  const run = value as Record<string, unknown>;
  assert.equal([run['done'], run['complete'], run['more'], complete], [2, false, true, false]);
  assert.match(text, 'there are more: go on with --after');
  assert.not.match(text, '--resume', 'its run is over');
  const again = await t.say(redrive({ limit: 2 }));
  const last = again.value as Record<string, unknown>;
  assert.equal([last['done'], last['complete'], last['more'], again.complete], [1, true, false, true]);
});

test('what a redrive leaves does not hide what came later, and a plan that ends early says where to go on', async () => {
  await using t = await setUpGivenUp(await createWorld());
  await seedPurged(t, 'shop-1', 250);
  await seedRedrivable(t, 'shop-2', HANDLER, 1);
  const planned = await t.run({ kind: 'plan', filter: filter({ limit: 1 }), include: [] });
  assert.equal([planned['gone'], planned['chosen'], planned['more']], [250, 1, false]);
  assert.equal(idsOf(planned), [handlerItemId('shop-1', 1, HANDLER), handlerItemId('shop-2', 1, HANDLER)]);

  const early = await planRedrive(t.find, filter(), [], 240);
  assert.equal([early.planned.length, early.more], [240, true]);
  const later = await planRedrive(t.find, filter({ after: early.next ?? '' }), [], 240);
  assert.equal(
    [later.planned.length, later.planned.filter(({ chosen }) => chosen).length, later.more, later.next],
    [11, 1, false, null],
  );
  const none = await t.say(redrive({ merchantId: 'shop-1' }));
  assert.equal([(none.value as { run: unknown }).run, none.complete], [null, true]);
  const run = await t.run(redrive({ limit: 1 }));
  assert.equal([run['done'], run['complete']], [1, true]);
});

test('an item is shown by its id wherever it stands: the 1,001st of its merchant, and an effect among its like', async () => {
  await using t = await setUpGivenUp(await createWorld());
  await seedPurged(t, 'shop-1', 1_001);
  const id = handlerItemId('shop-1', 1_001, HANDLER);
  const shown = await t.run({ kind: 'show', id });
  assert.equal([shown['id'], shown['eventId'], shown['order']], [id, 'old-1001', 'gone']);
  await sql`
    insert into intents (merchant_id, destination, object_key, version, desired, content_hash, state, event_id, event_type,
      handler, mseq, day, correlation_id, traceparent, deadline_ms, created_at, updated_at)
    select 'shop-1', 'ad-network:meta', 'object-' || n, 1, '{}', 'h', 'dead', 'e1', 'CampaignStateChangeRequestedEvent',
      'synchronizeCampaignStateWithAdNetworks', 1, current_date, 'c', 't', 1000, now(), now()
    from generate_series(1, 3) n
  `.execute(t.db);
  const effect = effectItemId('shop-1', 'ad-network:meta', 'object-2');
  const { objectKey, kind } = await t.run({ kind: 'show', id: effect });
  assert.equal([kind, objectKey], ['effect', 'object-2']);
  for (const missing of [handlerItemId('shop-1', 1_002, HANDLER), effectItemId('shop-1', 'ad-network:meta', 'other')])
    await t.run({ kind: 'show', id: missing }).then(
      () => assert.unreachable(),
      (error: unknown) => assert.match(String(error), 'nothing that was given up'),
    );
});

test.run();
