import { type OpenAPIHono, createRoute, z } from '@hono/zod-openapi';
import type { GatewayDependencies, GatewayEnv } from '../context.ts';
import { makeChange } from '../make-change.ts';
import { nextPage, pageQuery } from '../paging.ts';
import { problemResponses } from '../problem.ts';
import { json, readProblems, requiredBody, writeProblems } from '../route-parts.ts';
import { channels } from '../../core/contexts/notifications/events.ts';
import {
  type Notification,
  listInbox,
  readNotification,
  readPreferences,
} from '../../core/contexts/notifications/reads.ts';
import { categories } from '../../core/contexts/notifications/templates/builtin.ts';
import {
  cancelNotification,
  markRead,
  savePreference,
  saveRecipient,
  saveTemplate,
} from '../../core/contexts/notifications/writes.ts';
import { asMerchant } from '../../core/database/transaction.ts';
import { id } from '../../core/events/envelope.ts';
import { LanewayError } from '../../core/runtime/errors.ts';

const tags = ['Notifications'];
const base = '/v1/notifications';
const recipientId = z.object({ recipientId: id(128) });
const key = z.object({ key: id(200) });
const locale = z.string().regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$/);

const notification = z
  .object({
    key: z.string(),
    recipientId: z.string(),
    channel: z.enum(channels),
    templateId: z.string(),
    category: z.string(),
    priority: z.string(),
    subject: z.string(),
    text: z.string(),
    status: z.string().openapi({ description: '`unknown`: it may have been sent, and is not sent again.' }),
    statusReason: z.string().nullable(),
    requestedAt: z.iso.datetime(),
    sentAt: z.iso.datetime().nullable(),
    readAt: z.iso.datetime().nullable(),
  })
  .openapi('Notification');

const preference = z
  .strictObject({
    channel: z.enum(channels),
    category: z.enum(categories).describe('Billing and security are sent whatever is preferred.'),
    enabled: z.boolean(),
    digest: z.enum(['none', 'hourly', 'daily']).default('none').describe('Email only.'),
  })
  .openapi('NotificationPreference', {
    example: { channel: 'email', category: 'campaigns', enabled: true, digest: 'daily' },
  });

const recipient = z
  .strictObject({
    email: z.email().max(254).nullable().default(null),
    phone: z
      .string()
      .regex(/^\+[1-9]\d{6,14}$/, { error: 'must be E.164, such as +4915112345678' })
      .nullable()
      .default(null),
    locale: locale.default('en'),
  })
  .openapi('NotificationRecipient', { example: { email: 'owner@shop.example', phone: null, locale: 'de-AT' } });

const template = z
  .strictObject({
    channel: z.enum(channels),
    locale,
    category: z.enum(categories),
    subject: z.string().min(1).max(500),
    text: z.string().min(1).max(20_000),
    html: z.string().max(50_000).nullable().default(null),
  })
  .openapi('NotificationTemplate', {
    example: {
      channel: 'email',
      locale: 'en',
      category: 'campaigns',
      subject: '{{ campaignName }} is approved',
      text: 'Go and have a look at {{ campaignName }}.',
    },
  });

const inboxRoute = createRoute({
  method: 'get',
  path: `${base}/recipients/{recipientId}/inbox`,
  operationId: 'listInbox',
  tags,
  summary: 'List what a recipient sees in the app',
  request: {
    params: recipientId,
    query: pageQuery.extend({ unread: z.enum(['true', 'false']).default('false').describe('Only what is unread.') }),
  },
  responses: {
    200: {
      description: 'Newest first.',
      content: json(z.object({ notifications: z.array(notification), next: nextPage })),
    },
    ...problemResponses(...readProblems),
  },
});
const markReadRoute = createRoute({
  method: 'post',
  path: `${base}/recipients/{recipientId}/inbox/read`,
  operationId: 'markNotificationsRead',
  tags,
  summary: 'Mark notifications as read',
  request: {
    params: recipientId,
    body: requiredBody(z.strictObject({ keys: z.array(id(200)).min(1).max(200) }).openapi('NotificationsRead')),
  },
  responses: {
    200: { description: 'How many were unread.', content: json(z.object({ marked: z.int() })) },
    ...problemResponses(...writeProblems),
  },
});
const readRoute = createRoute({
  method: 'get',
  path: `${base}/messages/{key}`,
  operationId: 'readNotification',
  tags,
  summary: 'Read a notification and what became of it',
  request: { params: key },
  responses: {
    200: { description: 'The notification.', content: json(notification) },
    ...problemResponses(...readProblems, 'notifications.not_found'),
  },
});
const cancelRoute = createRoute({
  method: 'delete',
  path: `${base}/messages/{key}`,
  operationId: 'cancelNotification',
  tags,
  summary: 'Cancel a notification before it is sent',
  description: 'One that is asked for later under this key is not sent either.',
  request: { params: key },
  responses: {
    204: { description: 'It will not be sent.' },
    ...problemResponses(...readProblems, 'notifications.already_sent'),
  },
});
const recipientRoute = createRoute({
  method: 'put',
  path: `${base}/recipients/{recipientId}`,
  operationId: 'saveNotificationRecipient',
  tags,
  summary: 'Say where a recipient is reached',
  request: { params: recipientId, body: requiredBody(recipient) },
  responses: { 204: { description: 'Saved.' }, ...problemResponses(...writeProblems) },
});
const preferencesRoute = createRoute({
  method: 'get',
  path: `${base}/recipients/{recipientId}/preferences`,
  operationId: 'listNotificationPreferences',
  tags,
  summary: 'List what a recipient prefers',
  request: { params: recipientId },
  responses: {
    200: {
      description: 'What was set; everything else is on, without digest.',
      content: json(z.object({ preferences: z.array(preference.extend({ category: z.string() })) })),
    },
    ...problemResponses(...readProblems),
  },
});
const preferenceRoute = createRoute({
  method: 'put',
  path: `${base}/recipients/{recipientId}/preferences`,
  operationId: 'saveNotificationPreference',
  tags,
  summary: 'Set what a recipient prefers for one channel and category',
  request: { params: recipientId, body: requiredBody(preference) },
  responses: { 204: { description: 'Saved.' }, ...problemResponses(...writeProblems) },
});
const templateRoute = createRoute({
  method: 'post',
  path: `${base}/templates/{templateId}/versions`,
  operationId: 'saveNotificationTemplate',
  tags,
  summary: 'Add a version of a template',
  description: 'Liquid. Values are escaped in HTML. The newest version is used from then on.',
  request: { params: z.object({ templateId: id(128) }), body: requiredBody(template) },
  responses: {
    201: { description: 'Its version.', content: json(z.object({ templateId: z.string(), version: z.int() })) },
    ...problemResponses(...writeProblems, 'notifications.template_invalid'),
  },
});

export const notificationRoutes = [
  inboxRoute,
  markReadRoute,
  readRoute,
  cancelRoute,
  recipientRoute,
  preferencesRoute,
  preferenceRoute,
  templateRoute,
];

const show = ({ requestedAt, sentAt, readAt, ...rest }: Notification): z.infer<typeof notification> => ({
  ...rest,
  requestedAt: requestedAt.toISOString(),
  sentAt: sentAt?.toISOString() ?? null,
  readAt: readAt?.toISOString() ?? null,
});

export function addNotificationRoutes(app: OpenAPIHono<GatewayEnv>, dependencies: GatewayDependencies): void {
  const { db, clock, keyring } = dependencies;

  app.openapi(inboxRoute, async (c) => {
    const { limit, after, unread } = c.req.valid('query');
    const merchantId = c.get('merchantId');
    const page = { limit, unreadOnly: unread === 'true', ...(after === undefined ? {} : { after }) };
    const { items, next } = await asMerchant(db, merchantId, (trx) =>
      listInbox(trx, keyring, merchantId, c.req.valid('param').recipientId, page),
    );
    return c.json({ notifications: items.map(show), next: next ?? null }, 200);
  });

  app.openapi(markReadRoute, async (c) => {
    const { keys } = c.req.valid('json');
    const merchantId = c.get('merchantId');
    const marked = await asMerchant(db, merchantId, (trx) =>
      markRead(trx, merchantId, c.req.valid('param').recipientId, keys, clock.now()),
    );
    return c.json({ marked }, 200);
  });

  app.openapi(readRoute, async (c) => {
    const merchantId = c.get('merchantId');
    const wanted = c.req.valid('param').key;
    const found = await asMerchant(db, merchantId, (trx) => readNotification(trx, keyring, merchantId, wanted));
    if (found === undefined)
      throw new LanewayError('notifications.not_found', `There is no notification under ${wanted}.`);
    return c.json(show(found), 200);
  });

  app.openapi(cancelRoute, async (c) => {
    const subject = c.req.valid('param').key;
    await makeChange(dependencies, c, async (trx, merchantId, nowMs) => {
      await cancelNotification(trx, merchantId, subject, nowMs);
      return { result: undefined, action: 'notification.cancelled', subject };
    });
    return c.body(null, 204);
  });

  app.openapi(recipientRoute, async (c) => {
    const subject = c.req.valid('param').recipientId;
    const wanted = c.req.valid('json');
    await makeChange(dependencies, c, async (trx, merchantId, nowMs) => {
      await saveRecipient(trx, keyring, merchantId, { recipientId: subject, ...wanted }, nowMs);
      // The record outlives the person: which ways there are, not which address.
      const after = { email: wanted.email !== null, phone: wanted.phone !== null, locale: wanted.locale };
      return { result: undefined, action: 'notification_recipient.saved', subject, after };
    });
    return c.body(null, 204);
  });

  app.openapi(preferencesRoute, async (c) => {
    const merchantId = c.get('merchantId');
    const all = await asMerchant(db, merchantId, (trx) =>
      readPreferences(trx, merchantId, [c.req.valid('param').recipientId]),
    );
    return c.json({ preferences: all.map(({ recipientId: _same, ...rest }) => rest) }, 200);
  });

  app.openapi(preferenceRoute, async (c) => {
    const subject = c.req.valid('param').recipientId;
    const wanted = c.req.valid('json');
    await makeChange(dependencies, c, async (trx, merchantId, nowMs) => {
      await savePreference(trx, merchantId, { recipientId: subject, ...wanted }, nowMs);
      return { result: undefined, action: 'notification_preference.saved', subject, after: wanted };
    });
    return c.body(null, 204);
  });

  app.openapi(templateRoute, async (c) => {
    const { templateId } = c.req.valid('param');
    const wanted = c.req.valid('json');
    const made = await makeChange(dependencies, c, async (trx, merchantId, nowMs) => {
      const version = await saveTemplate(trx, merchantId, { templateId, ...wanted }, nowMs);
      const after = { version, channel: wanted.channel, locale: wanted.locale };
      return { result: { templateId, version }, action: 'notification_template.saved', subject: templateId, after };
    });
    return c.json(made, 201);
  });
}
