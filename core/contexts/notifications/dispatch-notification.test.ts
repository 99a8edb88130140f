import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { dispatchNotification } from './dispatch-notification.ts';
import { notificationDispatchRequestedPayload } from './events.ts';
import { readNotification } from './reads.ts';
import { cancelNotification, savePreference, saveRecipient, saveTemplate } from './writes.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { eraseSubject } from '../../people/subject-keys.ts';
import { testKeyring } from '../../testing/keyring.ts';
import { searchPostgres } from '../../testing/search-stores.ts';
import { runTwice } from '../../testing/duplicate.ts';
import { lanewayEvent, runHandler, snapshot } from '../../testing/run-handler.ts';
import { assertOrderIrrelevant } from '../../testing/shuffle.ts';
import { type World, createWorld } from '../../testing/world.ts';

const NOON = Date.parse('2026-11-23T12:00:00.000Z');
const tables = ['notifications', 'notification_requests'] as const;

/** A request for a notification, `second` seconds after noon. */
const request = (n: number, changes: Record<string, unknown> = {}, second = n) =>
  lanewayEvent(
    n,
    notificationDispatchRequestedPayload.parse({
      recipientId: 'owner',
      channel: 'email',
      templateId: 'campaign-approved',
      payloadForTemplate: { campaignName: `Sale ${n}`, approvedBy: 'Ann' },
      timestamp: new Date(NOON + second * 1_000).toISOString(),
      ...changes,
    }),
    { eventType: 'NotificationDispatchRequestedEvent' },
  );

async function setUp() {
  const world = await createWorld();
  const { db } = world.postgres;
  await db.transaction().execute(async (trx) => {
    const owner = { recipientId: 'owner', email: 'owner@shop.example', phone: null, locale: 'de-AT' };
    await saveRecipient(trx, testKeyring, 'shop-1', owner, NOON);
  });
  return world;
}

const prefer = ({ postgres: { db } }: World, changes: Partial<Parameters<typeof savePreference>[2]>) =>
  db
    .transaction()
    .execute((trx) =>
      savePreference(
        trx,
        'shop-1',
        { recipientId: 'owner', channel: 'email', category: 'campaigns', enabled: true, digest: 'none', ...changes },
        NOON,
      ),
    );

const find = (world: World, key: string) => readNotification(world.postgres.db, testKeyring, 'shop-1', key);

test('a request is filled in in the recipient’s language and becomes one intent, with no personal data in it', async () => {
  await using world = await setUp();
  const run = await runHandler(world.postgres.db, dispatchNotification, [request(1, { priority: 'high' })]);
  assert.equal(
    run.intents.map(({ destination, objectKey, desired, notBeforeMs }) => [
      destination,
      objectKey,
      Object.keys(desired),
      notBeforeMs,
    ]),
    [['email', 'event-0001', ['kind', 'key', 'parameters'], 1]],
  );
  const kept = await find(world, 'event-0001');
  assert.equal(
    [kept?.status, kept?.subject, kept?.text],
    ['queued', 'Kampagne „Sale 1“ wurde freigegeben', 'Ann hat die Kampagne „Sale 1“ freigegeben.'],
  );
});

test('in the app a notification is there at once; without an address or against a preference nothing is sent', async () => {
  await using world = await setUp();
  await prefer(world, { enabled: false });
  const run = await runHandler(world.postgres.db, dispatchNotification, [
    request(1, { channel: 'in-app' }),
    request(2, { channel: 'sms' }),
    request(3),
    request(4, { recipientId: 'nobody', templateId: 'invoice-paid', payloadForTemplate: paid }),
    // Whoever switches off campaign mail still gets what is about money.
    request(5, { templateId: 'invoice-paid', payloadForTemplate: paid }),
  ]);
  assert.equal(
    run.outcomes.map((outcome) => (outcome.kind === 'skip' ? outcome.reason : outcome.kind)),
    [
      'done',
      'the recipient has no phone number',
      'campaigns by email is off',
      'the recipient has no email address',
      'done',
    ],
  );
  assert.equal(
    run.intents.map(({ objectKey }) => objectKey),
    ['event-0005'],
  );
  assert.is((await find(world, 'event-0001'))?.status, 'sent');
});
const paid = { invoiceNumber: '7', amount: '1.00 EUR' };

test('what a recipient wants as a digest goes out as one mail at the end of the hour, urgent and mandatory ones at once', async () => {
  await using world = await setUp();
  for (const category of ['campaigns', 'billing']) await prefer(world, { category, digest: 'hourly' });
  const run = await runHandler(world.postgres.db, dispatchNotification, [
    request(1),
    request(2, {}, 3_599),
    request(3, {}, 3_600),
    request(4, { priority: 'high' }),
    request(5, { templateId: 'invoice-paid', payloadForTemplate: paid }),
  ]);
  assert.equal(
    run.intents.map(({ objectKey, notBeforeMs = 0 }) => [objectKey, new Date(notBeforeMs).toISOString()]),
    [
      ['digest:owner:2026-11-23T13:00:00.000Z', '2026-11-23T13:00:00.000Z'],
      ['digest:owner:2026-11-23T13:00:00.000Z', '2026-11-23T13:00:00.000Z'],
      ['digest:owner:2026-11-23T14:00:00.000Z', '2026-11-23T14:00:00.000Z'],
      ['event-0004', '1970-01-01T00:00:00.001Z'],
      ['event-0005', '2026-11-23T12:00:00.000Z'],
    ],
  );
});

test('a key stands for one notification: repeated it changes nothing, with other parameters it is a conflict', async () => {
  await using world = await setUp();
  const keyed = { idempotencyKey: 'order-7', payloadForTemplate: { campaignName: 'Sale', approvedBy: 'Ann' } };
  const first = await runHandler(world.postgres.db, dispatchNotification, [request(1, keyed)]);
  assert.is(first.intents.length, 1);
  const again = await runHandler(world.postgres.db, dispatchNotification, [
    request(2, keyed),
    request(3, { ...keyed, recipientId: 'somebody-else' }),
  ]);
  assert.equal(again.intents, []);
  assert.equal(again.outcomes, [
    { kind: 'skip', reason: 'asked for already by event-0001' },
    { kind: 'skip', reason: 'conflict: order-7 was asked for with other parameters by event-0001' },
  ]);
  const requests = await world.postgres.db.selectFrom('notification_requests').select('event_id').execute();
  assert.equal(requests.map((row) => row.event_id).toSorted(), ['event-0001', 'event-0002', 'event-0003']);
});

test('what is cancelled by its key is not sent, whether it was asked for before or after; too late is an error', async () => {
  await using world = await setUp();
  const { db } = world.postgres;
  const cancel = (key: string) => db.transaction().execute((trx) => cancelNotification(trx, 'shop-1', key, NOON));
  await cancel('later');
  const run = await runHandler(db, dispatchNotification, [
    request(1, { idempotencyKey: 'later' }),
    request(2, { idempotencyKey: 'now' }),
    request(3, { idempotencyKey: 'gone' }),
  ]);
  assert.equal(
    run.intents.map(({ objectKey }) => objectKey),
    ['now', 'gone'],
  );
  await cancel('now');
  await cancel('now');
  await db.updateTable('notifications').set({ status: 'sending' }).where('notification_key', '=', 'gone').execute();
  const late = await cancel('gone').catch((error: unknown) => error);
  assert.ok(late instanceof LanewayError);
  assert.is(late.code, 'notifications.already_sent');
  const states = await db.selectFrom('notifications').select('status').orderBy('notification_key').execute();
  assert.equal(
    states.map(({ status }) => status),
    ['sending', 'cancelled', 'cancelled'],
  );
});

test('a merchant’s own template is used in its newest version, and the notification says which', async () => {
  await using world = await setUp();
  const { db } = world.postgres;
  const own = { templateId: 'campaign-approved', channel: 'email', locale: 'de', category: 'campaigns' } as const;
  for (const subject of ['Alt', 'Neu: {{ campaignName }}'])
    await db
      .transaction()
      .execute((trx) => saveTemplate(trx, 'shop-1', { ...own, subject, text: 'x', html: null }, NOON));
  await runHandler(db, dispatchNotification, [request(1)]);
  const row = await db.selectFrom('notifications').selectAll().executeTakeFirstOrThrow();
  assert.is((await find(world, 'event-0001'))?.subject, 'Neu: Sale 1');
  assert.equal([row.template_version, row.locale], ['merchant:2', 'de']);
});

test('a template that nobody has is poison, and says so', async () => {
  await using world = await setUp();
  const thrown = await runHandler(world.postgres.db, dispatchNotification, [request(1, { templateId: 'none' })]).catch(
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof LanewayError);
  assert.equal([thrown.code, thrown.retry], ['notifications.unknown_template', 'never']);
});

test('handling requests again leaves the state they left the first time', async () => {
  await using world = await setUp();
  const events = [request(1), request(2, { idempotencyKey: 'k' }), request(3, { idempotencyKey: 'k' })];
  const { once, twice } = await runTwice(world, dispatchNotification, events, [...tables]);
  assert.is(twice, once);
});

test('requests may come in any order and repeatedly, also for one key with different parameters', async () => {
  await using world = await setUp();
  await prefer(world, { digest: 'daily' });
  const requests = fc
    .array(
      fc.record({
        key: fc.option(fc.constantFrom('k1', 'k2'), { nil: undefined }),
        channel: fc.constantFrom('email', 'in_app', 'sms'),
        campaignName: fc.constantFrom('A', 'B'),
        priority: fc.constantFrom('low', 'medium', 'high'),
        second: fc.integer({ min: 0, max: 3 }),
      }),
      { minLength: 2, maxLength: 7 },
    )
    .map((specs) =>
      specs.map(({ key, channel, campaignName, priority, second }, index) => ({
        handler: dispatchNotification,
        event: request(
          index + 1,
          {
            channel,
            priority,
            payloadForTemplate: { campaignName, approvedBy: 'Ann' },
            ...(key === undefined ? {} : { idempotencyKey: key }),
          },
          second,
        ),
      })),
    );
  await assertOrderIrrelevant(world, requests, [...tables], { numRuns: 15 });
  assert.ok((await snapshot(world.postgres.db, tables)).length > 0);
});

test('address and text are readable with the recipient’s key alone, and gone from every table once it is destroyed', async () => {
  await using world = await setUp();
  const { db } = world.postgres;
  const told = { channel: 'in_app', payloadForTemplate: { campaignName: 'Zirkonia', approvedBy: 'Ann' } };
  await runHandler(db, dispatchNotification, [request(1, told), request(2)]);
  assert.equal(
    [(await find(world, 'event-0001'))?.subject, (await find(world, 'event-0002'))?.status],
    ['Kampagne „Zirkonia“ wurde freigegeben', 'queued'],
  );
  for (const text of ['Zirkonia', 'owner@shop.example']) assert.equal(await searchPostgres(db, text), [], text);
  await eraseSubject(db, testKeyring, { merchantId: 'shop-1', subjectId: 'owner' }, NOON + 60_000);
  const erased = await find(world, 'event-0001');
  assert.equal([erased?.status, erased?.subject, erased?.text], ['sent', '', '']);
  // There is no address left to reach anybody by.
  await runHandler(db, dispatchNotification, [request(3)]);
  assert.is((await find(world, 'event-0003'))?.status, 'undeliverable');
});

test.run();
