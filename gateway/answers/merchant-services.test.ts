// test-stack
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Gateway, startGateway } from '../testing/start-gateway.ts';
import { attributeAffiliateConversion } from '../../core/contexts/affiliates/attribute-affiliate-conversion.ts';
import { affiliateConversionPayload } from '../../core/contexts/affiliates/events.ts';
import { runBillingCycle } from '../../core/contexts/billing/run-billing-cycle.ts';
import { dispatchNotification } from '../../core/contexts/notifications/dispatch-notification.ts';
import { notificationDispatchRequestedPayload } from '../../core/contexts/notifications/events.ts';
import { deliverThirdPartyAppWebhook } from '../../core/contexts/webhooks/deliver-third-party-app-webhook.ts';
import { thirdPartyAppWebhookPayload } from '../../core/contexts/webhooks/events.ts';
import { lanewayEvent, runHandler } from '../../core/testing/run-handler.ts';

/** Calls as a merchant; `expected` is the status that the answer must have. */
const caller =
  (gateway: Gateway, as: string) => async (expected: number, method: string, path: string, body?: unknown) => {
    const answer = await gateway.call(path, { as, method, ...(body === undefined ? {} : { body }) });
    assert.is(answer.status, expected, `${method} ${path}: ${answer.text}`);
    return answer.text === '' ? undefined : JSON.parse(answer.text);
  };

test('a recipient’s notifications are listed, read, and cancelled before they are sent; another merchant sees none', async () => {
  await using gateway = await startGateway();
  const call = caller(gateway, await gateway.addMerchant('shop-1'));
  const other = caller(gateway, await gateway.addMerchant('shop-2'));
  const recipient = '/v1/notifications/recipients/owner';
  await call(204, 'PUT', recipient, { email: 'owner@shop.example', locale: 'de' });
  await call(400, 'PUT', recipient, { phone: '0151' });
  await call(204, 'PUT', `${recipient}/preferences`, { channel: 'email', category: 'platform', enabled: false });
  const { preferences } = await call(200, 'GET', `${recipient}/preferences`);
  assert.equal(preferences, [{ channel: 'email', category: 'platform', enabled: false, digest: 'none' }]);
  const template = { channel: 'in_app', locale: 'de', category: 'campaigns', subject: 'Los: {{ n }}', text: '{{ n }}' };
  const saved = await call(201, 'POST', '/v1/notifications/templates/start/versions', template);
  assert.equal(saved, { templateId: 'start', version: 1 });
  const broken = await call(422, 'POST', '/v1/notifications/templates/start/versions', {
    ...template,
    text: '{% if %}',
  });
  assert.is(broken.code, 'notifications.template_invalid');

  const events = [
    ['a', 'in_app'],
    ['b', 'in_app'],
    ['c', 'in_app'],
    ['mail', 'email'],
  ].map(([idempotencyKey, channel], index) =>
    lanewayEvent(
      index + 1,
      notificationDispatchRequestedPayload.parse({
        recipientId: 'owner',
        channel,
        templateId: channel === 'email' ? 'campaign-approved' : 'start',
        payloadForTemplate: { n: idempotencyKey, campaignName: 'x', approvedBy: 'y' },
        timestamp: `2026-11-23T10:0${index}:00.000Z`,
        idempotencyKey,
      }),
    ),
  );
  await runHandler(gateway.world.postgres.db, dispatchNotification, events);
  const first = await call(200, 'GET', `${recipient}/inbox?limit=2`);
  const subjects = (page: { notifications: { subject: string }[] }) => page.notifications.map(({ subject }) => subject);
  assert.equal([subjects(first), first.next], [['Los: c', 'Los: b'], 'b']);
  assert.equal(subjects(await call(200, 'GET', `${recipient}/inbox?limit=2&after=b`)), ['Los: a']);
  assert.equal(await call(200, 'POST', `${recipient}/inbox/read`, { keys: ['c', 'a', 'mail'] }), { marked: 2 });
  assert.equal(subjects(await call(200, 'GET', `${recipient}/inbox?unread=true`)), ['Los: b']);
  await call(204, 'DELETE', '/v1/notifications/messages/mail');
  assert.is((await call(200, 'GET', '/v1/notifications/messages/mail')).status, 'cancelled');
  assert.is((await call(409, 'DELETE', '/v1/notifications/messages/a')).code, 'notifications.already_sent');
  assert.equal(subjects(await other(200, 'GET', `${recipient}/inbox`)), []);
  assert.is((await other(404, 'GET', '/v1/notifications/messages/mail')).code, 'notifications.not_found');
});

test('a webhook endpoint is made, changed and recovered; its secret is shown once, and private addresses are refused', async () => {
  await using gateway = await startGateway();
  const call = caller(gateway, await gateway.addMerchant('shop-1'));
  const other = caller(gateway, await gateway.addMerchant('shop-2'));
  const base = '/v1/webhooks/endpoints';
  for (const url of ['https://169.254.169.254/', 'http://hooks.example/', 'https://127.0.0.1:8443/'])
    assert.is((await call(422, 'POST', base, { url, types: ['*'] })).code, 'webhooks.url_refused');
  const made = await call(201, 'POST', base, { url: 'https://hooks.example/in', types: ['campaign.*'] });
  const { endpointId } = made.endpoint;
  assert.match(made.secret, /^whsec_/);
  const rotated = await call(201, 'POST', `${base}/${endpointId}/rotate-secret`);
  assert.is.not(rotated.secret, made.secret);
  const changed = await call(200, 'PATCH', `${base}/${endpointId}`, { state: 'disabled', ordering: 'sequential' });
  assert.equal([changed.state, changed.ordering, changed.stateReason], ['disabled', 'sequential', 'by the merchant']);
  const listed = await call(200, 'GET', base);
  assert.not.match(JSON.stringify(listed), 'whsec_');

  const happening = thirdPartyAppWebhookPayload.parse({
    webhookType: 'campaign.paused',
    timestamp: '2026-11-23T10:00:00.000Z',
    data: {},
  });
  await runHandler(gateway.world.postgres.db, deliverThirdPartyAppWebhook, [lanewayEvent(1, happening)]);
  const log = await call(200, 'GET', `${base}/${endpointId}/deliveries?status=held`);
  assert.equal([log.deliveries[0].eventId, log.next], ['event-0001', null]);
  assert.equal(await call(200, 'GET', `${base}/${endpointId}/deliveries/event-0001/attempts`), { attempts: [] });
  await call(202, 'POST', `${base}/${endpointId}/recover`, { since: '2026-11-01T00:00:00Z' });
  await call(202, 'POST', `${base}/${endpointId}/deliveries/event-0001/resend`);
  const rows = await gateway.world.postgres.db.selectFrom('outbox').select('body').orderBy('seq').execute();
  assert.equal(
    rows.map(({ body }) => JSON.parse(String(body)).payload.redelivery),
    [{ since: '2026-11-01T00:00:00Z' }, { eventId: 'event-0001' }],
  );
  await other(404, 'PATCH', `${base}/${endpointId}`, { state: 'enabled' });
  await other(404, 'POST', `${base}/${endpointId}/recover`, { since: '2026-11-01T00:00:00Z' });
  await call(204, 'DELETE', `${base}/${endpointId}`);
  assert.equal(await call(200, 'GET', base), { endpoints: [] });
  const audited = await gateway.world.postgres.db.selectFrom('audit_log').select('action').execute();
  assert.is(audited.filter(({ action }) => action.startsWith('webhook')).length, 6);
});

test('a plan is chosen from today on, and invoices are the merchant’s own', async () => {
  await using gateway = await startGateway();
  const call = caller(gateway, await gateway.addMerchant('shop-1'));
  const other = caller(gateway, await gateway.addMerchant('shop-2'));
  await call(400, 'PUT', '/v1/billing/plan', { planId: 'growth', fromDay: '2020-01-01' });
  const { fromDay } = await call(200, 'PUT', '/v1/billing/plan', { planId: 'growth' });
  await call(204, 'PUT', '/v1/billing/payment-method', { paymentMethod: 'pm_1' });
  const billingPeriod = String(Number(fromDay.slice(0, 4)) + 1) + fromDay.slice(4, 7);
  const payload = { merchantId: 'shop-1', billingPeriod, timestamp: '2026-11-01T00:00:00.000Z' };
  await runHandler(gateway.world.postgres.db, runBillingCycle, [lanewayEvent(1, payload)]);
  const { invoices } = await call(200, 'GET', '/v1/billing/invoices');
  assert.equal(
    invoices.map((each: { totalMinor: number; status: string }) => [each.totalMinor, each.status]),
    [[4_900, 'draft']],
  );
  const path = `/v1/billing/invoices/${invoices[0].invoiceNumber}`;
  assert.equal(await call(200, 'GET', path), invoices[0]);
  await other(404, 'GET', path);
});

test('a link leads to the shop and records the click, by which the order is credited', async () => {
  await using gateway = await startGateway();
  const call = caller(gateway, await gateway.addMerchant('shop-1'));
  const other = caller(gateway, await gateway.addMerchant('shop-2'));
  await call(204, 'PUT', '/v1/affiliates', { windowDays: 7, rule: 'first_click' });
  await call(404, 'POST', '/v1/affiliates/blog/links', { targetUrl: 'https://shop.example/shoes?a=1' });
  await call(204, 'PUT', '/v1/affiliates/blog', { name: 'Blog', commissionPpm: 50_000 });
  const link = await call(201, 'POST', '/v1/affiliates/blog/links', { targetUrl: 'https://shop.example/shoes?a=1' });
  const followed = await gateway.call(link.path);
  assert.is(followed.status, 302);
  const target = new URL(followed.headers.get('location') ?? '');
  assert.equal([target.origin + target.pathname, target.searchParams.get('a')], ['https://shop.example/shoes', '1']);
  assert.is((await gateway.call('/r/unknown')).status, 404);
  const order = affiliateConversionPayload.parse({
    orderId: 'o-1',
    conversionType: 'purchase',
    amountMinor: 10_000,
    currency: 'EUR',
    timestamp: new Date(gateway.clock.now() + 60_000).toISOString(),
    clickIds: [target.searchParams.get('lw_click')],
  });
  await runHandler(gateway.world.postgres.db, attributeAffiliateConversion, [lanewayEvent(1, order)]);
  const { balances } = await call(200, 'GET', '/v1/affiliates/balances');
  assert.equal(
    balances.map((each: { affiliateId: string; balanceMinor: number }) => [each.affiliateId, each.balanceMinor]),
    [['blog', 500]],
  );
  assert.equal(await call(200, 'GET', '/v1/affiliates/blog/statements'), { statements: [] });
  assert.equal(await other(200, 'GET', '/v1/affiliates/balances'), { balances: [] });
  await call(204, 'PUT', '/v1/affiliates/blog', { name: 'Blog', commissionPpm: 50_000, state: 'paused' });
  assert.is((await gateway.call(link.path)).status, 404);
});

test.run();
