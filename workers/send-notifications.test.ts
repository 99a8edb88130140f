import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { chooseDriver } from './choose-driver.ts';
import { throughLane } from './testing/through-lane.ts';
import { movableClock, setUpEffects } from './testing/world-of-effects.ts';
import { connectSES } from '../core/clients/ses.ts';
import { connectSmsSNS } from '../core/clients/sns.ts';
import { dispatchNotification } from '../core/contexts/notifications/dispatch-notification.ts';
import { createEmailDriver } from '../core/contexts/notifications/email-driver.ts';
import { notificationDispatchRequestedPayload } from '../core/contexts/notifications/events.ts';
import { createSmsDriver } from '../core/contexts/notifications/sms-driver.ts';
import { cancelNotification, savePreference, saveRecipient } from '../core/contexts/notifications/writes.ts';
import { testKeyring as keyring } from '../core/testing/keyring.ts';
import { waitFor } from '../core/testing/wait-for.ts';

const accepted = z.object({
  messages: z.array(z.object({ to: z.array(z.string()), subject: z.string(), text: z.string(), channel: z.string() })),
});

async function setUp() {
  const s = await setUpEffects();
  const { world, merchantId } = s;
  const { db } = world.postgres;
  const { time, clock } = movableClock();
  // The mailbox is everybody's: only the address tells whose mail it is.
  const email = `${world.stack}@shop.example`;
  const phone = `+49${String(parseInt(world.stack.slice(1), 16) % 1e10).padStart(10, '1')}`;
  await db
    .transaction()
    .execute((trx) =>
      saveRecipient(trx, keyring, merchantId, { recipientId: 'owner', email, phone, locale: 'en' }, clock.now()),
    );
  const drivers = chooseDriver({
    email: createEmailDriver({ db, keyring, ses: connectSES(), from: 'ads@laneway.example', clock }),
    sms: createSmsDriver({ db, keyring, sns: connectSmsSNS(`${world.networksUrl}/sms`), clock }),
  });
  const actors = s.actors({ drivers, clock });
  return {
    ...s,
    clock,
    time,
    actors,
    [Symbol.asyncDispose]: () => s[Symbol.asyncDispose](),
    ask: (key: string, changes: Record<string, unknown> = {}) =>
      throughLane(
        world,
        { module: dispatchNotification, name: 'dispatchNotification' },
        {
          merchantId,
          eventType: 'NotificationDispatchRequestedEvent',
          now: clock.now(),
          payload: notificationDispatchRequestedPayload.parse({
            recipientId: 'owner',
            channel: 'email',
            templateId: 'campaign-approved',
            payloadForTemplate: { campaignName: key, approvedBy: 'Ann' },
            timestamp: new Date(clock.now()).toISOString(),
            idempotencyKey: key,
            ...changes,
          }),
        },
      ),
    reaches: (key: string, status: string) =>
      waitFor(`${key} to be ${status}`, async () => {
        await actors.wake(['email', 'sms'].map((destination) => ({ merchantId, destination })));
        const row = await db
          .selectFrom('notifications')
          .selectAll()
          .where('notification_key', '=', key)
          .executeTakeFirstOrThrow();
        return row.status === status ? row : undefined;
      }),
    async fail(service: 'email' | 'sms', kind: string, times = 1) {
      const response = await fetch(`${world.networksUrl}/_control/message-faults`, {
        method: 'POST',
        body: JSON.stringify([{ service, to: service === 'email' ? email : phone, kind, times }]),
      });
      assert.is(response.status, 201);
    },
    async taken() {
      const all = accepted.parse(await (await fetch(`${world.networksUrl}/mailbox/messages`)).json());
      return all.messages.filter(({ to }) => to.includes(email) || to.includes(phone));
    },
  };
}

test('an email and an SMS go out once each, and the notification knows them by their message id', async () => {
  await using s = await setUp();
  await s.ask('mail');
  await s.ask('text', { channel: 'sms' });
  const [mail, text] = [await s.reaches('mail', 'sent'), await s.reaches('text', 'sent')];
  assert.equal(
    (await s.taken()).map(({ channel, subject, text: body }) => `${channel} ${subject} ${body}`).toSorted(),
    ['email Campaign “mail” was approved Ann approved the campaign “mail”.', 'sms  Ann approved the campaign “text”.'],
  );
  assert.match(mail.external_id ?? '', /^[0-9a-f-]{36}$/);
  assert.is.not(mail.external_id, text.external_id);
});

test('a mail that may have gone out is never sent again: it ends as unknown, in the DLQ', async () => {
  await using s = await setUp();
  await s.fail('email', 'commit_then_drop');
  await s.ask('mail');
  await s.reaches('mail', 'unknown');
  assert.is((await s.taken()).length, 1);
  const letters = await s.world.postgres.db.selectFrom('outbox').selectAll().execute();
  assert.equal(
    letters.map(({ destination, attributes }) => [destination, attributes['errorCode'], attributes['handler']]),
    [['queue:NotificationDispatchDLQ', 'effect.outcome_unknown', 'dispatchNotification@email']],
  );
  await s.ask('mail');
  await s.ask('next');
  await s.reaches('next', 'sent');
  assert.is((await s.taken()).length, 2);
});

test('what SES certainly did not take is sent later; what it refuses for good is not', async () => {
  await using s = await setUp();
  await s.fail('email', 'throttled');
  await s.ask('throttled');
  await waitFor('a refusal', async () => {
    await s.actors.wake([{ merchantId: s.merchantId, destination: 'email' }]);
    const row = await s.world.postgres.db.selectFrom('intents').selectAll().executeTakeFirst();
    return row?.last_error?.code === 'effect.limited';
  });
  s.time.aheadMs += 3_600_000;
  await s.reaches('throttled', 'sent');
  await s.fail('email', 'rejected');
  await s.ask('refused');
  assert.match((await s.reaches('refused', 'failed')).status_reason ?? '', /MessageRejected/);
  await s.fail('sms', 'throttled');
  await s.ask('text', { channel: 'sms' });
  await waitFor('a refusal', async () => {
    await s.actors.wake([{ merchantId: s.merchantId, destination: 'sms' }]);
    const row = await s.world.postgres.db
      .selectFrom('intents')
      .selectAll()
      .where('destination', '=', 'sms')
      .executeTakeFirst();
    return row?.last_error?.code === 'effect.limited';
  });
  assert.is((await s.taken()).length, 1);
});

test('a digest is one mail of all that its window holds and that was not cancelled', async () => {
  await using s = await setUp();
  const { db } = s.world.postgres;
  const daily = {
    recipientId: 'owner',
    channel: 'email',
    category: 'campaigns',
    enabled: true,
    digest: 'daily',
  } as const;
  await db.transaction().execute((trx) => savePreference(trx, s.merchantId, daily, s.clock.now()));
  for (const key of ['a', 'b', 'c']) await s.ask(key);
  await db.transaction().execute((trx) => cancelNotification(trx, s.merchantId, 'b', s.clock.now()));
  await s.actors.wake([{ merchantId: s.merchantId, destination: 'email' }]);
  s.time.aheadMs += 86_400_000;
  const [a, c] = [await s.reaches('a', 'sent'), await s.reaches('c', 'sent')];
  assert.is(a.external_id, c.external_id);
  await s.reaches('b', 'cancelled');
  assert.equal(
    (await s.taken()).map(({ subject, text }) => [subject, text.match(/“.”/g)]),
    [['2 notifications', ['“a”', '“a”', '“c”', '“c”']]],
  );
});

test.run();
