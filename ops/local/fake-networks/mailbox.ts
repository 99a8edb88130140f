import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { z } from 'zod';
import { openJournal } from './journal.ts';
import { mailboxPage } from './mailbox-page.ts';
import type { MessageFaults } from './message-faults.ts';

const content = z.object({ Data: z.string(), Charset: z.string().optional() });

/** SES v2 `SendEmail` with simple content; what else a caller sends is ignored. */
const sendEmail = z.object({
  FromEmailAddress: z.string().min(1),
  Destination: z.object({
    ToAddresses: z.array(z.string().min(1)).min(1).max(50),
  }),
  Content: z.object({
    Simple: z.object({ Subject: content, Body: z.object({ Text: content.optional(), Html: content.optional() }) }),
  }),
  EmailTags: z.array(z.object({ Name: z.string(), Value: z.string() })).optional(),
});

const acceptedMessage = z.object({
  id: z.string(),
  at: z.iso.datetime(),
  channel: z.enum(['email', 'sms']),
  from: z.string(),
  to: z.array(z.string()),
  subject: z.string(),
  text: z.string(),
  html: z.string().nullable(),
  /** The sender's own name for the call, where it gives one. */
  tag: z.string().nullable(),
});
export type AcceptedMessage = z.infer<typeof acceptedMessage>;

/** SES says what is wrong in a header and a `message`. */
const sesRefusal = (status: number, type: string, message: string, headers: Record<string, string> = {}): Response =>
  Response.json({ message }, { status, headers: { 'x-amzn-errortype': type, ...headers } });

/** SNS speaks the query protocol: form in, XML out. */
const snsRefusal = (status: number, code: string, message: string): Response =>
  new Response(
    `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>${status < 500 ? 'Sender' : 'Receiver'}</Type>` +
      `<Code>${code}</Code><Message>${message}</Message></Error><RequestId>${randomUUID()}</RequestId></ErrorResponse>`,
    { status, headers: { 'content-type': 'text/xml' } },
  );

const snsPublished = (messageId: string): Response =>
  new Response(
    `<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>${messageId}</MessageId>` +
      `</PublishResult><ResponseMetadata><RequestId>${randomUUID()}</RequestId></ResponseMetadata></PublishResponse>`,
    { headers: { 'content-type': 'text/xml' } },
  );

const E164 = /^\+[1-9]\d{6,14}$/;

/**
 * Takes email as SES v2 does and SMS as SNS does, sends none of it, and shows it at `/mailbox`. Whatever was taken stands in
 * an append-only journal; the sender has no way to read it, so that only a checker finds out what was taken twice.
 */
export function mailboxRoutes(dir: string, faults: MessageFaults) {
  const journal = openJournal(join(dir, 'messages.jsonl'), acceptedMessage);
  const routes = new Hono<{ Bindings: HttpBindings }>();
  const take = (message: Omit<AcceptedMessage, 'id' | 'at'>): string => {
    const id = randomUUID();
    journal.append({ id, at: new Date().toISOString(), ...message });
    return id;
  };

  routes.post('/v2/email/outbound-emails', async (c) => {
    const parsed = sendEmail.safeParse(await c.req.json().catch(() => undefined));
    if (!parsed.success) return sesRefusal(400, 'BadRequestException', z.prettifyError(parsed.error));
    const { FromEmailAddress, Destination, Content, EmailTags } = parsed.data;
    const { Subject, Body } = Content.Simple;
    const to = Destination.ToAddresses;
    return await faults.around(
      c,
      { service: 'email', to: to.join(' ') },
      (kind) => {
        switch (kind) {
          case 'throttled':
            return sesRefusal(429, 'TooManyRequestsException', 'Maximum sending rate exceeded.', {
              'retry-after': '1',
            });
          case 'rejected':
            return sesRefusal(400, 'MessageRejected', 'Email address is not verified.');
          case 'internal':
            return sesRefusal(500, 'InternalServiceErrorException', 'injected');
          default:
            return kind satisfies never;
        }
      },
      () =>
        Response.json({
          MessageId: take({
            channel: 'email',
            from: FromEmailAddress,
            to,
            subject: Subject.Data,
            text: Body.Text?.Data ?? '',
            html: Body.Html?.Data ?? null,
            tag: EmailTags?.find(({ Name }) => Name === 'laneway-call')?.Value ?? null,
          }),
        }),
    );
  });

  // The SDK ends an endpoint's path in a slash.
  routes.on('POST', ['/sms', '/sms/'], async (c) => {
    const form = new URLSearchParams(await c.req.text());
    const to = form.get('PhoneNumber') ?? '';
    const text = form.get('Message') ?? '';
    if (form.get('Action') !== 'Publish') return snsRefusal(400, 'InvalidAction', 'only Publish is known here');
    if (!E164.test(to)) return snsRefusal(400, 'InvalidParameter', 'Invalid parameter: PhoneNumber');
    if (text === '') return snsRefusal(400, 'InvalidParameter', 'Invalid parameter: Empty message');
    return await faults.around(
      c,
      { service: 'sms', to },
      (kind) => {
        switch (kind) {
          case 'throttled':
            return snsRefusal(400, 'Throttling', 'Rate exceeded');
          case 'rejected':
            return snsRefusal(400, 'InvalidParameter', 'injected');
          case 'internal':
            return snsRefusal(500, 'InternalError', 'injected');
          default:
            return kind satisfies never;
        }
      },
      () => snsPublished(take({ channel: 'sms', from: 'SNS', to: [to], subject: '', text, html: null, tag: null })),
    );
  });

  routes.get('/mailbox/messages', (c) => c.json({ messages: journal.entries }));

  routes.get('/mailbox/messages/:id', (c) => {
    const message = journal.entries.find(({ id }) => id === c.req.param('id'));
    return message === undefined ? c.json({ message: 'no such message' }, 404) : c.json(message);
  });

  routes.get('/mailbox', (c) => c.html(mailboxPage(journal.entries)));
  return routes;
}
