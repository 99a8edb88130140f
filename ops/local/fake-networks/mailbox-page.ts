import { html } from 'hono/html';
import type { AcceptedMessage } from './mailbox.ts';

const MAX_SHOWN = 200;

/** `html` escapes what is put into it: a message is whatever somebody sent. */
export const mailboxPage = (messages: readonly AcceptedMessage[]) =>
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
        <p>${messages.length} messages taken. None of them left this machine.</p>
        ${messages
          .slice(-MAX_SHOWN)
          .toReversed()
          .map(
            ({ at, channel, from, to, subject, text }) =>
              html`<article>
                <h2>${subject === '' ? channel : subject}</h2>
                <p>${at}, ${channel} from ${from} to ${to.join(', ')}</p>
                <pre>${text}</pre>
              </article>`,
          )}
      </body>
    </html>`;
