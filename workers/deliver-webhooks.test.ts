import { type IncomingHttpHeaders, createServer } from 'node:http';
import { Webhook } from 'standardwebhooks';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { throughLane } from './testing/through-lane.ts';
import { movableClock, setUpEffects } from './testing/world-of-effects.ts';
import { deliverThirdPartyAppWebhook } from '../core/contexts/webhooks/deliver-third-party-app-webhook.ts';
import { createWebhookDriver } from '../core/contexts/webhooks/driver.ts';
import { thirdPartyAppWebhookPayload } from '../core/contexts/webhooks/events.ts';
import { changeEndpoint, createEndpoint } from '../core/contexts/webhooks/writes.ts';
import { testKeyring } from '../core/testing/keyring.ts';
import { waitFor } from '../core/testing/wait-for.ts';

const DAY_MS = 86_400_000;

interface Received {
  headers: IncomingHttpHeaders;
  body: string;
}

/** An app that answers as it is told, 204 when it is told nothing. */
async function startApp() {
  const received: Received[] = [];
  const answers: { status: number; headers?: Record<string, string> }[] = [];
  let otherwise = 204;
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      received.push({ headers: request.headers, body });
      const { status, headers = {} } = answers.shift() ?? { status: otherwise };
      response.writeHead(status, headers).end('as told');
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    received,
    answers,
    url: `http://127.0.0.1:${port}/hooks`,
    answerAlways: (status: number) => void (otherwise = status),
    close: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  };
}

async function setUp(ordering: 'parallel' | 'sequential') {
  const s = await setUpEffects();
  const { world, merchantId } = s;
  const { db } = world.postgres;
  const app = await startApp();
  const { time, clock } = movableClock();
  const { endpointId, secret } = await db
    .transaction()
    .execute((trx) =>
      createEndpoint(
        trx,
        testKeyring,
        merchantId,
        { url: app.url, description: '', types: ['*'], ordering },
        clock.now(),
      ),
    );
  const driver = createWebhookDriver({ db, keyring: testKeyring, rules: { allowLoopback: true }, clock });
  const actors = s.actors({ drivers: () => driver, clock, leaseMs: 60_000 });
  let happened = 0;
  const happen = (changes: Record<string, unknown> = {}) => {
    happened += 1;
    const payload = thirdPartyAppWebhookPayload.parse({
      webhookType: 'campaign.activated',
      timestamp: new Date(clock.now()).toISOString(),
      data: { n: happened },
      ...changes,
    });
    const handler = { module: deliverThirdPartyAppWebhook, name: 'deliverThirdPartyAppWebhook' };
    const eventType = 'ThirdPartyAppWebhookEvent';
    return throughLane(world, handler, { merchantId, eventType, payload, now: clock.now() });
  };
  const wake = async () => {
    const due = await db
      .selectFrom('effect_lanes')
      .select(['merchant_id as merchantId', 'destination'])
      .where('due_at', '<=', new Date(clock.now()))
      .execute();
    if (due.length > 0) await actors.wake(due);
  };
  return {
    ...s,
    app,
    endpointId,
    secret,
    time,
    clock,
    happen,
    statuses: (expected: string) =>
      waitFor(expected, async () => {
        await wake();
        const rows = await db.selectFrom('webhook_deliveries').select('status').orderBy('sequence').execute();
        return rows.map(({ status }) => status).join() === expected;
      }),
    tried: (attempts: number) =>
      waitFor(`${attempts} attempts`, async () => {
        await wake();
        const { count } = await db
          .selectFrom('webhook_attempts')
          .select((each) => each.fn.countAll<number>().as('count'))
          .executeTakeFirstOrThrow();
        return count >= attempts;
      }),
    endpoint: () => db.selectFrom('webhook_endpoints').selectAll().executeTakeFirstOrThrow(),
    async [Symbol.asyncDispose]() {
      await s[Symbol.asyncDispose]();
      await app.close();
    },
  };
}

const numbers = (received: readonly Received[]): number[] => received.map(({ body }) => JSON.parse(body).data.n);

test('a message arrives signed, with its id, sequence and attempt, and the log shows every try', async () => {
  await using s = await setUp('parallel');
  s.app.answers.push({ status: 500 });
  await s.happen();
  await s.tried(1);
  s.time.aheadMs += 3_600_000;
  await s.statuses('delivered');
  const [first, second] = s.app.received;
  assert.ok(first && second);
  const event = (await s.world.postgres.db.selectFrom('webhook_deliveries').selectAll().executeTakeFirstOrThrow())
    .event_id;
  const told = ({ headers }: Received) =>
    ['webhook-id', 'laneway-event-id', 'laneway-sequence', 'laneway-attempt'].map((name) => headers[name]);
  assert.equal(
    [told(first), told(second)],
    [
      [`msg_${event}`, event, '1', '1'],
      [`msg_${event}`, event, '1', '2'],
    ],
  );
  assert.is(first.body, second.body);
  const headers = Object.fromEntries(Object.entries(first.headers).map(([name, value]) => [name, String(value)]));
  const verified = new Webhook(s.secret).verify(first.body, headers);
  assert.equal(verified, JSON.parse(first.body));
  const log = await s.world.postgres.db.selectFrom('webhook_attempts').selectAll().orderBy('attempt').execute();
  assert.equal(
    log.map(({ attempt, response_status, response }) => [attempt, response_status, response]),
    [
      [1, 500, 'as told'],
      [2, 204, ''],
    ],
  );
  assert.is((await s.endpoint()).failing_since, null);
});

test('in sequence a message waits for the one before, however long that takes', async () => {
  await using s = await setUp('sequential');
  s.app.answers.push({ status: 503, headers: { 'retry-after': '7200' } });
  for (let n = 1; n <= 4; n++) await s.happen();
  await s.tried(1);
  const intents = s.world.postgres.db.selectFrom('intents').selectAll();
  // The try is logged a moment before its outcome is.
  await waitFor('the outcome', async () => (await intents.executeTakeFirstOrThrow()).state !== 'sending');
  const intent = await intents.executeTakeFirstOrThrow();
  const waitsMs = (intent.not_before?.getTime() ?? 0) - s.clock.now();
  assert.ok(waitsMs > 7_100_000 && waitsMs <= 7_200_000, `Retry-After is honoured: ${waitsMs}`);
  s.time.aheadMs += 7_300_000;
  await s.statuses('delivered,delivered,delivered,delivered');
  assert.equal(numbers(s.app.received), [1, 1, 2, 3, 4]);
});

test('side by side a failing message holds no other', async () => {
  await using s = await setUp('parallel');
  s.app.answers.push({ status: 500 });
  await s.happen();
  await s.tried(1);
  await s.happen();
  await s.statuses('pending,delivered');
  assert.equal(numbers(s.app.received), [1, 2]);
});

test('an endpoint that fails for days is disabled, its owner is told, and what it missed can be recovered', async () => {
  await using s = await setUp('sequential');
  s.app.answerAlways(500);
  await s.happen();
  await s.happen();
  await s.tried(1);
  s.time.aheadMs += 2 * DAY_MS;
  await s.tried(2);
  assert.is((await s.endpoint()).state, 'enabled');
  s.time.aheadMs += 1.5 * DAY_MS;
  await s.statuses('failed,pending');
  assert.is((await s.endpoint()).state, 'disabled');
  const outbox = await s.world.postgres.db.selectFrom('outbox').selectAll().orderBy('seq').execute();
  assert.equal(
    outbox.map(({ event_type, stream }) => [event_type, stream]),
    [
      ['ThirdPartyAppWebhookEvent', 'dead-letters'],
      ['NotificationDispatchRequestedEvent', 'events'],
    ],
  );
  // The event that asked last is about nobody, so that the dead letter holds it.
  assert.equal(JSON.parse(String(outbox[0]?.body)).payload.data, { n: 2 });
  assert.is(JSON.parse(String(outbox[1]?.body)).payload.templateId, 'webhook-endpoint-disabled');
  await s.happen();
  s.app.answerAlways(204);
  const { db } = s.world.postgres;
  await db
    .transaction()
    .execute((trx) => changeEndpoint(trx, s.merchantId, s.endpointId, { state: 'enabled' }, s.clock.now()));
  const since = new Date(s.clock.now() - 10 * DAY_MS).toISOString();
  const before = s.app.received.length;
  await s.happen({ webhookType: 'laneway.recovery', endpointId: s.endpointId, redelivery: { since } });
  await s.statuses('delivered,delivered,delivered');
  assert.equal(numbers(s.app.received.slice(before)), [1, 2, 3]);
});

test('410 disables the endpoint at once', async () => {
  await using s = await setUp('parallel');
  s.app.answers.push({ status: 410 });
  await s.happen();
  await s.statuses('failed');
  assert.equal([(await s.endpoint()).state, s.app.received.length], ['disabled', 1]);
});

test.run();
