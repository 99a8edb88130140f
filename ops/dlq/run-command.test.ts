import { GetQueueAttributesCommand, StartMessageMoveTaskCommand } from '@aws-sdk/client-sqs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createWorld } from '../../core/testing/world.ts';
import type { ItemFilter } from './items.ts';
import type { DlqCommand } from './parse-arguments.ts';
import { HANDLER, PRODUCTS, PRODUCTS_DLQ, product, setUpGivenUp } from './testing/given-up.ts';

const requester = { by: 'ada', reason: 'the cause is mended' };
const filter = (wanted: Partial<ItemFilter> = {}): ItemFilter => ({
  queue: PRODUCTS_DLQ,
  handler: undefined,
  merchantId: undefined,
  code: undefined,
  since: undefined,
  until: undefined,
  eventId: undefined,
  limit: 100,
  after: undefined,
  ...wanted,
});
const redrive = (wanted: Partial<ItemFilter> = {}, include: ('superseded' | 'conflicting')[] = []): DlqCommand => ({
  kind: 'redrive',
  filter: filter(wanted),
  include,
  perSecond: 1_000,
  requester,
  waitMs: 5_000,
});

interface Item {
  id: string;
  kind: string;
  eventId: string | null;
  code: string;
  order?: string;
  chosen?: boolean;
  inQueue: boolean | null;
}
const itemsOf = (said: Record<string, unknown>) => said['items'] as Item[];

test('what was given up is listed without being lost, shown with its body, planned by its order, and redriven through its lane', async () => {
  await using t = await setUpGivenUp(await createWorld());
  for (const id of ['old', 'stuck']) t.broken.add(id);
  await t.send(product('old', 'shop-1', 'sku-1'));
  await t.send(product('new', 'shop-1', 'sku-1'));
  await t.send(product('stuck', 'shop-1', 'sku-2'));
  await t.send('{"eventType": 7}');
  await t.intake(4);
  await t.visit('shop-1');
  await t.lettersArrive(3);

  const list: DlqCommand = { kind: 'list', filter: filter() };
  const listed = itemsOf(await t.run(list));
  assert.equal(
    listed.map(({ kind, eventId, code, inQueue }) => [kind, eventId, code, inQueue]),
    [
      ['handler', 'old', 'payload.invalid', true],
      ['handler', 'stuck', 'payload.invalid', true],
      ['message', null, 'envelope.invalid', true],
    ],
  );
  assert.equal(itemsOf(await t.run(list)).length, 3, 'listing hides nothing from the next who lists');
  const shown = await t.run({ kind: 'show', id: listed[0]?.id ?? '' });
  assert.equal([shown['body'], shown['order']], [product('old', 'shop-1', 'sku-1'), 'superseded']);
  const message = await t.run({ kind: 'show', id: listed[2]?.id ?? '' });
  assert.is(message['body'], '{"eventType": 7}');
  const [only] = itemsOf(await t.run({ kind: 'list', filter: filter({ eventId: 'stuck', merchantId: 'shop-1' }) }));
  assert.is(only?.eventId, 'stuck');
  assert.equal(itemsOf(await t.run({ kind: 'list', filter: filter({ code: 'handler.failed' }) })), []);
  assert.equal(itemsOf(await t.run({ kind: 'list', filter: filter({ until: Date.now() - 600_000 }) })), []);

  const planned = await t.run({ kind: 'plan', filter: filter({ handler: HANDLER }), include: [] });
  assert.equal([planned['dryRun'], planned['safe'], planned['superseded'], planned['chosen']], [true, 1, 1, 1]);
  assert.equal(await t.db.selectFrom('redrives').selectAll().execute(), [], 'a plan commands nothing');

  t.broken.clear();
  const run = await t.run(redrive({ handler: HANDLER }));
  assert.equal([run['complete'], run['done'], run['lettersRemoved']], [true, 1, 1]);
  assert.equal(await t.applied(), ['new', 'stuck'], 'what is superseded stays, without a flag');
  assert.is(await t.left(PRODUCTS_DLQ), 2);
  const [action] = await t.db.selectFrom('operator_actions').selectAll().execute();
  assert.equal([action?.action, action?.requested_by, action?.reason], ['dlq-redrive', 'ada', 'the cause is mended']);

  const included = await t.run(redrive({ handler: HANDLER }, ['superseded']));
  assert.equal([included['done'], included['lettersRemoved']], [1, 1]);
  assert.equal(await t.applied(), ['new', 'stuck', 'old']);
  assert.is((await t.run(redrive({ handler: HANDLER })))['run'], null, 'nothing is left to redrive');
});

test('a redrive that fails again leaves the old letter, adds one of its own, and says so', async () => {
  await using t = await setUpGivenUp(await createWorld());
  t.broken.add('e1');
  await t.send(product('e1', 'shop-1'));
  await t.intake(1);
  await t.visit('shop-1');
  await t.lettersArrive(1);
  const run = await t.run(redrive());
  assert.equal([run['complete'], run['dead'], run['lettersRemoved']], [true, 1, 0]);
  await t.lettersArrive(2);
  t.broken.clear();
  const again = await t.run(redrive());
  assert.equal([again['done'], again['lettersRemoved']], [1, 2], 'the letters of all tries go');
  assert.equal(await t.applied(), ['e1']);
});

test('an interrupted run goes on with what is left, and asks for nothing twice', async () => {
  await using t = await setUpGivenUp(await createWorld());
  const ids = ['e1', 'e2', 'e3'];
  for (const id of ids) {
    t.broken.add(id);
    await t.send(product(id, 'shop-1', `sku-${id}`));
  }
  await t.intake(3);
  await t.visit('shop-1');
  await t.lettersArrive(3);
  t.broken.clear();
  const first = await t.run(redrive({ eventId: 'e1' }));
  const runId = String(first['run']);
  // As a process leaves it that died after its first item: two more are pending.
  const { day } = await t.db.selectFrom('inbox').select('day').executeTakeFirstOrThrow();
  const item = {
    run_id: runId,
    kind: 'handler' as const,
    queue: PRODUCTS_DLQ,
    merchant_id: 'shop-1',
    handler: HANDLER,
  };
  await t.db
    .insertInto('redrive_items')
    .values([2, 3].map((n) => ({ ...item, ordinal: n, event_id: `e${n}`, mseq: n, day, updated_at: new Date() })))
    .execute();
  const resume: DlqCommand = { kind: 'resume', runId, waitMs: 5_000 };
  const resumed = await t.run(resume);
  assert.equal([resumed['complete'], resumed['done'], resumed['lettersRemoved']], [true, 3, 2]);
  await t.run(resume);
  assert.equal(await t.applied(), ids);
  const commands = await t.db.selectFrom('redrives').select(['requested_by', 'result']).execute();
  assert.equal(
    commands,
    Array.from({ length: 3 }, () => ({ requested_by: 'ada', result: 'done' })),
  );
});

test('what never became an event goes back to its queue with a new id, and leaves the DLQ only then', async () => {
  await using t = await setUpGivenUp(await createWorld());
  await t.send('not an event');
  await t.send('nor this');
  await t.intake(2);
  assert.is(await t.left(PRODUCTS_DLQ), 2);
  const [first] = itemsOf(await t.run({ kind: 'list', filter: filter() }));
  const run = await t.run(redrive({ limit: 1 }));
  assert.equal([run['sentBack'], await t.left(PRODUCTS_DLQ), await t.left(PRODUCTS)], [1, 1, 1]);
  // It is as undecodable as before: a new letter, which no dedupe window swallowed.
  assert.is((await t.intake(1)).deadLettered, 1);
  assert.is(await t.left(PRODUCTS_DLQ), 2);
  assert.ok(first);
});

test('a message that AWS moves back is neither run as new nor dropped: its lane tries it again', async () => {
  await using t = await setUpGivenUp(await createWorld());
  t.broken.add('e1');
  await t.send(product('e1', 'shop-1'));
  await t.intake(1);
  await t.visit('shop-1');
  await t.lettersArrive(1);
  t.broken.clear();
  const { Attributes } = await t.sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: t.queueUrl(PRODUCTS_DLQ), AttributeNames: ['QueueArn'] }),
  );
  await t.sqs.send(new StartMessageMoveTaskCommand({ SourceArn: Attributes?.['QueueArn'] }));
  const summary = await t.intake(1);
  assert.equal([summary.duplicates, summary.redriven], [1, 1]);
  await t.visit('shop-1');
  assert.equal(await t.applied(), ['e1']);
  const settled = await t.db
    .selectFrom('settlements')
    .select(['outcome', 'out_of_order'])
    .where('handler', '=', HANDLER)
    .execute();
  assert.equal(settled, [{ outcome: 'done', out_of_order: true }]);
  assert.equal([await t.left(PRODUCTS), await t.left(PRODUCTS_DLQ)], [0, 0]);
});

test.run();
