import { CreateQueueCommand, SQSClient, SendMessageCommand } from '@aws-sdk/client-sqs';
import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { connectPostgres } from '../core/clients/postgres.ts';
import { connectSQS } from '../core/clients/sqs.ts';
import { createWorld } from '../core/testing/world.ts';
import type { MerchantView } from './merchant.ts';
import type { Overview } from './overview.ts';
import type { Panel } from './panels.ts';
import { createTestConsole } from './testing/console.ts';
import { seedDead, seedEffect, seedLane, seedOutbox, seedWaiting } from './testing/seed.ts';

/** Dates are strings here, as JSON has them. */
function valueOf<T>(panel: Panel<T>): T {
  if (!panel.ok) throw new Error(panel.error);
  return panel.value;
}

const hostile = '<script>alert("x")</script>&\'/..';
const nowhere = () =>
  new SQSClient({
    endpoint: 'http://127.0.0.1:1',
    region: 'eu-central-1',
    maxAttempts: 1,
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
  });

test('every page, file and figure needs the login; health does not', async () => {
  await using world = await createWorld();
  await using console = createTestConsole(world);
  for (const path of [
    '/',
    '/api/overview.json',
    '/merchants/shop-1',
    '/api/merchants/shop-1.json',
    '/dead-letters',
    '/search?q=x',
    '/queues/',
    '/assets/console.css',
    '/no-such-page',
  ])
    assert.is((await console.app.request(path)).status, 401, path);
  assert.is((await console.get('/')).status, 200);
  assert.is((await console.app.request('/healthz')).status, 200);
  const ready = await console.app.request('/readyz');
  assert.equal(await ready.json(), {
    status: 'ready',
    state: 'ready',
    dependencies: { postgres: 'ok', redis: 'ok' },
  });
});

test('a console that is not ready, or has no Postgres, says 503 and stays alive', async () => {
  await using world = await createWorld();
  {
    await using console = createTestConsole(world, { state: () => 'draining' });
    assert.is((await console.app.request('/readyz')).status, 503);
    assert.is((await console.app.request('/healthz')).status, 200);
  }
  const away = connectPostgres({
    url: 'postgresql://nobody@127.0.0.1:1/nothing',
    poolSize: 1,
    applicationName: 'test',
    statementTimeoutMs: 3_000,
    idleInTransactionTimeoutMs: 3_000,
  });
  await using console = createTestConsole(world, { db: away.db });
  const ready = await console.app.request('/readyz');
  assert.is(ready.status, 503);
  assert.is(((await ready.json()) as { dependencies: { postgres: string } }).dependencies.postgres, 'unavailable');
  const page = await console.get('/');
  assert.is(page.status, 200);
  assert.match(await page.text(), 'Not available: connect ECONNREFUSED');
  await away.close();
});

test('answers are not stored, not framed, and load nothing from elsewhere', async () => {
  await using world = await createWorld();
  await using console = createTestConsole(world);
  const { headers } = await console.get('/');
  assert.is(headers.get('cache-control'), 'no-store');
  assert.is(headers.get('x-frame-options'), 'DENY');
  assert.is(headers.get('x-content-type-options'), 'nosniff');
  assert.match(headers.get('content-security-policy') ?? '', "default-src 'none'; script-src 'self'");
  assert.is((await console.app.request('/')).headers.get('x-frame-options'), 'DENY');
});

test('the overview shows lanes, waits, dead letters, queues, outbox, effects, networks and workers', async () => {
  await using world = await createWorld();
  await using console = createTestConsole(world, { sqs: connectSQS() });
  const { db } = world.postgres;
  const now = console.clock.now();
  await seedLane(db, { merchantId: 'shop-busy', accepted: 100, backlog: 40 }, now);
  await seedLane(
    db,
    { merchantId: 'shop-blocked', accepted: 3, backlog: 3, state: 'blocked', reason: 'poison at 1' },
    now,
  );
  await seedWaiting(db, 'shop-busy', 61, now);
  await seedDead(db, 'shop-blocked', 1, 'handleProductDimensionUpdate', now);
  await seedEffect(db, 'shop-busy', 'campaign-1', 'pending', now);
  await seedEffect(db, 'shop-busy', 'campaign-2', 'unknown', now);
  await seedEffect(db, 'shop-busy', 'campaign-3', 'dead', now);
  await seedOutbox(db, 'shop-busy', now);
  const sqs = connectSQS();
  const dlq = await sqs.send(
    new CreateQueueCommand({
      QueueName: `${world.stack}-CampaignEventsDLQ.fifo`,
      Attributes: { FifoQueue: 'true' },
    }),
  );
  await sqs.send(
    new SendMessageCommand({
      QueueUrl: dlq.QueueUrl,
      MessageBody: 'dead',
      MessageGroupId: 'shop-busy',
      MessageDeduplicationId: 'dead-1',
    }),
  );
  sqs.destroy();

  const overview = (await (await console.get('/api/overview.json')).json()) as Overview;
  assert.is(valueOf(overview.backlog).total, 43);
  assert.is(valueOf(overview.backlog).busiest[0]?.merchantId, 'shop-busy');
  assert.is(valueOf(overview.held)[0]?.stateReason, 'poison at 1');
  assert.equal(valueOf(overview.activity).lastMinute, { settled: 61, done: 60, skipped: 0, dead: 1 });
  assert.is(valueOf(overview.activity).workers[0]?.worker, 'worker-1');
  assert.is(valueOf(overview.deliveries)[0]?.attempt, 2);
  assert.equal(
    valueOf(overview.dead).map((row) => [row.handler, row.code, row.count]),
    [
      ['ad-network:meta', 'handler.failed', 1],
      ['handleProductDimensionUpdate', 'handler.failed', 1],
    ],
  );
  assert.equal(valueOf(overview.queues).find((row) => row.deadLetterQueue === 'CampaignEventsDLQ')?.deadLetters, {
    messages: 1,
  });
  assert.is(valueOf(overview.outbox)[0]?.count, 1);
  assert.equal(
    valueOf(overview.effects).map((row) => [row.destination, row.open, row.unknown, row.dead]),
    [['ad-network:meta', 1, 1, 1]],
  );
  assert.equal(
    valueOf(overview.networks).map((row) => [row.adNetworkId, row.pending, row.failed]),
    [['meta', 2, 1]],
  );

  const page = await (await console.get('/')).text();
  for (const text of [
    'shop-busy',
    'poison at 1',
    '2 of 4',
    'in 30 s',
    'CampaignEventsDLQ',
    'handleProductDimensionUpdate',
  ])
    assert.ok(page.includes(text), `the overview shows ${text}`);
  assert.not.match(page, 'Not available');
});

test('a merchant page shows lane, open deliveries, journal with correlation ids, and campaigns', async () => {
  await using world = await createWorld();
  await using console = createTestConsole(world);
  const { db } = world.postgres;
  const now = console.clock.now();
  await seedLane(db, { merchantId: 'shop-1', accepted: 80, backlog: 10 }, now);
  await seedWaiting(db, 'shop-1', 71, now);
  await seedEffect(db, 'shop-1', 'campaign-1', 'pending', now);
  const view = (await (await console.get('/api/merchants/shop-1.json')).json()) as MerchantView;
  assert.is(valueOf(view.lane)?.cursor, 70);
  assert.is(valueOf(view.lane)?.backlog, 10);
  assert.is(valueOf(view.deliveries)[0]?.mseq, 71);
  assert.is(valueOf(view.journal).length, 50);
  assert.equal([valueOf(view.journal)[0]?.mseq, valueOf(view.journal)[0]?.correlationId], [70, 'correlation-70']);
  assert.is(valueOf(view.campaigns)[0]?.campaignId, 'campaign-1');
  const page = await (await console.get('/merchants/shop-1')).text();
  for (const text of ['correlation-70', 'campaign-1', '2 of 4', 'href="/queues/queue/lane-%7Bshop-1%7D"'])
    assert.ok(page.includes(text), `the page shows ${text}`);
  assert.is((await console.get('/merchants/nobody')).status, 404);
  assert.is((await console.get('/api/merchants/nobody.json')).status, 404);
  assert.is((await console.get('/merchants/%00')).status, 404);
});

test('hostile merchant ids are escaped on every page and keep their own page', async () => {
  await using world = await createWorld();
  await using console = createTestConsole(world);
  const { db } = world.postgres;
  const now = console.clock.now();
  const ids = [hostile, '..', 'a?b#c%41', 'ünï ☃', '"><img src=x onerror=alert(1)>'];
  for (const merchantId of ids) {
    await seedLane(
      db,
      { merchantId, accepted: 2, backlog: 1, state: 'blocked', reason: hostile, correlationId: hostile },
      now,
    );
    await seedWaiting(db, merchantId, 2, now);
    await seedDead(db, merchantId, 1, 'handleProductDimensionUpdate', now);
  }
  const overview = await (await console.get('/')).text();
  const links = [...overview.matchAll(/href="(\/merchants[^"]*)"/g)].map((match) =>
    (match[1] ?? '').replaceAll('&#39;', "'"),
  );
  assert.is(new Set(links).size, ids.length);
  const pages = [overview];
  for (const link of new Set(links)) {
    const response = await console.get(link);
    assert.is(response.status, 200, link);
    pages.push(await response.text());
  }
  for (const path of ['/dead-letters', `/dead-letters?merchant=${encodeURIComponent(hostile)}`])
    pages.push(await (await console.get(path)).text());
  pages.push(await (await console.get(`/search?q=${encodeURIComponent(hostile)}`)).text());
  pages.push(await (await console.get(`/nothing/${encodeURIComponent(hostile)}`)).text());
  for (const page of pages) {
    assert.not.match(page, '<script>alert');
    assert.not.match(page, '<img src=x');
  }
  assert.match(overview, '&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;');
  for (const id of ids) {
    const view = await console.get(`/api/merchants/${encodeURIComponent(id)}.json`);
    assert.is(((await view.json()) as { merchantId: string }).merchantId, id);
  }
});

test('a panel whose source is broken says so, and the others still show', async () => {
  await using world = await createWorld();
  await using console = createTestConsole(world, { sqs: nowhere() });
  const { db } = world.postgres;
  await seedLane(db, { merchantId: 'shop-busy', accepted: 5, backlog: 5 }, console.clock.now());
  await sql`drop table intents`.execute(db);
  const response = await console.get('/');
  assert.is(response.status, 200);
  const page = await response.text();
  assert.match(page, 'Not available: relation &quot;intents&quot; does not exist');
  assert.match(page, 'SQS does not answer');
  assert.match(page, 'shop-busy');
});

test('dead letters are listed by handler and by merchant, latest first', async () => {
  await using world = await createWorld();
  await using console = createTestConsole(world);
  const { db } = world.postgres;
  const now = console.clock.now();
  for (const merchantId of ['shop-1', 'shop-2']) {
    await seedLane(db, { merchantId, accepted: 2, backlog: 2, correlationId: `of-${merchantId}` }, now);
    await seedDead(db, merchantId, 1, 'handleProductCoreUpdate', now);
    await seedDead(db, merchantId, 2, 'handleProductDimensionUpdate', now);
  }
  const rows = async (query: string) =>
    [...(await (await console.get(`/dead-letters${query}`)).text()).matchAll(/>of-(shop-\d)</g)].map(
      (match) => match[1],
    );
  assert.is((await rows('')).length, 4);
  assert.equal(await rows('?merchant=shop-2'), ['shop-2', 'shop-2']);
  assert.equal(new Set(await rows('?handler=handleProductCoreUpdate&merchant=')), new Set(['shop-1', 'shop-2']));
  assert.equal(await rows('?handler=handleProductCoreUpdate&merchant=shop-1'), ['shop-1']);
});

test('search finds a merchant, an event and all events of a correlation', async () => {
  await using world = await createWorld();
  await using console = createTestConsole(world);
  const { db } = world.postgres;
  await seedLane(db, { merchantId: 'shop-1', accepted: 3, backlog: 1, correlationId: 'together' }, console.clock.now());
  await seedLane(db, { merchantId: 'shop-2', accepted: 1, backlog: 1 }, console.clock.now());
  const search = async (text: string) => await (await console.get(`/search?q=${encodeURIComponent(text)}`)).text();
  assert.match(await search('shop-1'), 'href="/merchants/shop-1"');
  const together = await search('together');
  assert.is(together.match(/>together</g)?.length, 3);
  assert.match(together, 'handleProductCoreUpdate: done');
  assert.match(together, 'pending');
  const event = await search('event-1');
  assert.match(event, 'href="/merchants/shop-1"');
  assert.match(event, 'href="/merchants/shop-2"');
  assert.match(await search('nothing'), 'No event found.');
  assert.match(await search('\u0000'), 'No event found.');
  assert.match(await search(''), 'No event found.');
});

test('the console cannot write', async () => {
  await using world = await createWorld();
  const url = new URL(world.postgresUrl);
  url.searchParams.set('options', '-c role=laneway_reader');
  const reader = connectPostgres({
    url: url.toString(),
    poolSize: 1,
    applicationName: 'test',
    statementTimeoutMs: 3_000,
    idleInTransactionTimeoutMs: 3_000,
  });
  try {
    await reader.db.deleteFrom('lanes').execute();
    assert.unreachable();
  } catch (error) {
    assert.match(String(error), 'permission denied');
  } finally {
    await reader.close();
  }
});

test.run();
