import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns';
import type { Kysely } from 'kysely';
import { failureOfSend, keepsNoRecord } from './aws-failure.ts';
import { addressOf, recordNothingSent, recordSending, takeForSending } from './sending.ts';
import type { Database } from '../../database/tables.ts';
import type { DestinationDriver } from '../../events/destination.ts';
import type { Keyring } from '../../people/keyring.ts';
import type { Clock } from '../../runtime/clock.ts';

/** What SNS takes in one publish; it splits a longer text into several parts by itself. */
const MAX_TEXT = 1_600;

/** SMS through SNS, straight to a phone number. */
export function createSmsDriver(options: {
  db: Kysely<Database>;
  keyring: Keyring;
  /** Makes one attempt a call: a retry of its own could be the second message. */
  sns: SNSClient;
  clock: Clock;
}): DestinationDriver {
  const { db, keyring, sns, clock } = options;
  return {
    // SNS sends 20 transactional messages a second in most regions.
    limits: () => ({ quota: [{ calls: 20, perMs: 1_000, burst: 10 }], concurrency: 4 }),

    async send(call, signal) {
      const [message] = await takeForSending(db, keyring, call, clock.now());
      if (message === undefined) return { externalId: 'none', actual: { sent: 0 } };
      const command = new PublishCommand({
        PhoneNumber: await addressOf(db, keyring, call.merchantId, message.recipientId, 'sms'),
        Message: message.text.slice(0, MAX_TEXT),
        MessageAttributes: { 'AWS.SNS.SMS.SMSType': { DataType: 'String', StringValue: 'Transactional' } },
      });
      const answer = await sns.send(command, { abortSignal: signal }).catch((error: unknown) => {
        throw failureOfSend('SNS', error);
      });
      return { externalId: answer.MessageId ?? 'unnamed', actual: { sent: 1 } };
    },

    probe: () => Promise.reject(keepsNoRecord('SNS')),
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
