import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Hono } from 'hono';
import { html } from 'hono/html';
import { z } from 'zod';
import { failure } from './failure.ts';
import { openJournal } from './journal.ts';

const text = z.object({ Data: z.string() });

/** The part of SES v2 `SendEmail` that a product needs; what else a caller sends is ignored. */
const outboundEmail = z.object({
  FromEmailAddress: z.string().min(1),
  Destination: z.object({ ToAddresses: z.array(z.string().min(1)).min(1).max(50) }),
  Content: z.object({
    Simple: z.object({ Subject: text, Body: z.object({ Text: text.optional(), Html: text.optional() }) }),
  }),
});

const storedEmail = z.object({
  id: z.string(),
  at: z.iso.datetime(),
  from: z.string(),
  to: z.array(z.string()),
  subject: z.string(),
  text: z.string(),
});

/** Takes email as SES v2 does, sends none of it, and shows it at `/mailbox`. */
export function mailboxRoutes(dir: string) {
  const journal = openJournal(join(dir, 'mailbox.jsonl'), storedEmail);
  const routes = new Hono();

  routes.post('/v2/email/outbound-emails', async (c) => {
    const parsed = outboundEmail.safeParse(await c.req.json().catch(() => undefined));
    if (!parsed.success) {
      const refusal = { message: z.prettifyError(parsed.error) };
      return c.json(refusal, 400, { 'x-amzn-errortype': 'BadRequestException' });
    }
    const { FromEmailAddress, Destination, Content } = parsed.data;
    const { Subject, Body } = Content.Simple;
    const id = randomUUID();
    journal.append({
      id,
      at: new Date().toISOString(),
      from: FromEmailAddress,
      to: Destination.ToAddresses,
      subject: Subject.Data,
      text: Body.Text?.Data ?? Body.Html?.Data ?? '',
    });
    return c.json({ MessageId: id });
  });

  routes.get('/mailbox/messages', (c) => c.json({ messages: journal.entries }));

  routes.get('/mailbox/messages/:id', (c) => {
    const message = journal.entries.find(({ id }) => id === c.req.param('id'));
    return message === undefined ? c.json(failure('not_found', 'no such message'), 404) : c.json(message);
  });

  // `html` escapes what is put into it: a message body is whatever somebody sent.
  routes.get('/mailbox', (c) =>
    c.html(
      html`<!doctype html>
        <html lang="en">
          <head>
            <meta charset="utf-8" />
            <title>Mailbox</title>
            <style>
              body {
                font:
                  15px/1.5 system-ui,
                  sans-serif;
                max-width: 50rem;
                margin: 2rem auto;
                padding: 0 1rem;
              }
              article {
                border-top: 1px solid #ccc;
                padding: 1rem 0;
              }
              h2 {
                font-size: 1rem;
                margin: 0;
              }
              pre {
                white-space: pre-wrap;
              }
            </style>
          </head>
          <body>
            <h1>Mailbox</h1>
            <p>${journal.entries.length} messages taken. None of them left this machine.</p>
            ${journal.entries.toReversed().map(
              ({ at, from, to, subject, text: body }) =>
                html`<article>
                  <h2>${subject}</h2>
                  <p>${at}, from ${from} to ${to.join(', ')}</p>
                  <pre>${body}</pre>
                </article>`,
            )}
          </body>
        </html>`,
    ),
  );

  return routes;
}
