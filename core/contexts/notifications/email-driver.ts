import { type SESv2Client, SendEmailCommand } from '@aws-sdk/client-sesv2';
import type { Kysely } from 'kysely';
import { failureOfSend, keepsNoRecord } from './aws-failure.ts';
import { addressOf, recordNothingSent, recordSending, takeForSending } from './sending.ts';
import type { Taken } from './sending.ts';
import { chooseTemplate } from './templates/choose.ts';
import { type Rendered, render } from './templates/render.ts';
import type { Database } from '../../database/tables.ts';
import type { DestinationDriver } from '../../events/destination.ts';
import type { Keyring } from '../../people/keyring.ts';
import type { Clock } from '../../runtime/clock.ts';

/** A digest names so many and counts the rest. */
const DIGEST_ITEMS = 100;

/** Email through SES v2, one call for a notification or for a digest of them. */
export function createEmailDriver(options: {
  db: Kysely<Database>;
  keyring: Keyring;
  /** Makes one attempt a call: a retry of its own could be the second mail. */
  ses: SESv2Client;
  /** `Laneway <notifications@example.com>`, a verified identity. */
  from: string;
  clock: Clock;
}): DestinationDriver {
  const { db, keyring, ses, clock } = options;
  return {
    // SES gives accounts in production 14 a second to begin with; others say so in LANEWAY_DESTINATION_LIMITS.
    limits: () => ({ quota: [{ calls: 14, perMs: 1_000, burst: 7 }], concurrency: 8 }),

    async send(call, signal) {
      const taken = await takeForSending(db, keyring, call, clock.now());
      const [first] = taken;
      if (first === undefined) return { externalId: 'none', actual: { sent: 0 } };
      const content = call.desired['kind'] === 'digest' ? digestOf(taken, first.locale) : first;
      const to = await addressOf(db, keyring, call.merchantId, first.recipientId, 'email');
      const answer = await ses
        .send(emailCommand(options.from, to, content, call.idempotencyKey), { abortSignal: signal })
        .catch((error: unknown) => {
          throw failureOfSend('SES', error);
        });
      return { externalId: answer.MessageId ?? 'unnamed', actual: { sent: taken.length } };
    },

    probe: () => Promise.reject(keepsNoRecord('SES')),
    satisfies: () => false,

    async recordSuccess(trx, call, { externalId, actual }, _observed, { now }) {
      if (actual['sent'] === 0) await recordNothingSent(trx, call, now);
      else await recordSending(trx, call, { status: 'sent', externalId }, now);
    },

    async recordFailure(trx, call, error, { now }) {
      const status = error.code === 'effect.outcome_unknown' ? 'unknown' : 'failed';
      await recordSending(trx, call, { status, reason: error.message }, now);
    },
  };
}

function digestOf(taken: readonly Taken[], locale: string): Rendered {
  const chosen = chooseTemplate([], { templateId: 'digest', channel: 'email', locale });
  if (chosen === undefined) throw new Error('there is no template for digests');
  const items = taken.slice(0, DIGEST_ITEMS).map(({ subject, text }) => ({ subject, text }));
  return render(chosen.source, { count: taken.length, items, more: taken.length - items.length });
}

const part = (Data: string) => ({ Data, Charset: 'UTF-8' });

const emailCommand = (from: string, to: string, content: Rendered, idempotencyKey: string): SendEmailCommand =>
  new SendEmailCommand({
    FromEmailAddress: from,
    Destination: { ToAddresses: [to] },
    Content: {
      Simple: {
        Subject: part(content.subject),
        Body: { Text: part(content.text), ...(content.html === null ? {} : { Html: part(content.html) }) },
      },
    },
    // Comes back in SES's own delivery events: by it an operator finds out about a call that got no answer.
    EmailTags: [{ Name: 'laneway-call', Value: idempotencyKey }],
  });
