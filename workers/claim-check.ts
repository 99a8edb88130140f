import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import type { Kysely } from 'kysely';
import { z } from 'zod';
import type { Database } from '../core/database/tables.ts';
import { merchantId } from '../core/events/envelope.ts';
import { type ReceivedMessage, redriveMarkerOf } from './message.ts';

/** The body of a dead letter whose original was too large to travel with its attributes. */
const reference = z.discriminatedUnion('bodyIn', [
  z.object({
    bodyIn: z.literal('inbox'),
    merchantId,
    // The day before which Postgres has none.
    day: z.iso.date().refine((day) => day > '0001', { error: 'is before the year 1' }),
    mseq: z.int().positive(),
  }),
  z.object({ bodyIn: z.literal('s3'), bucket: z.string(), key: z.string().startsWith('dead-letters/') }),
]);

export type Restored = { ok: true; message: ReceivedMessage } | { ok: false; reason: string };

/**
 * Gives a message that was moved back from the DLQ the body that it refers to. Every other message is given back as it is.
 * Rejects when the store cannot be asked, so that the message is tried again.
 */
export async function restoreBody(
  message: ReceivedMessage,
  { db, s3, bucket }: { db: Kysely<Database>; s3: S3Client; bucket: string },
): Promise<Restored> {
  if (redriveMarkerOf(message) === undefined || !message.body.startsWith('{"bodyIn":')) return { ok: true, message };
  const parsed = reference.safeParse(parseJson(message.body));
  if (!parsed.success) return { ok: true, message };
  const body =
    parsed.data.bodyIn === 'inbox'
      ? await readInbox(db, parsed.data)
      : parsed.data.bucket === bucket
        ? await readObject(s3, bucket, parsed.data.key)
        : undefined;
  if (body === undefined) return { ok: false, reason: `body: lies in ${parsed.data.bodyIn} and is gone from there` };
  return { ok: true, message: { ...message, body } };
}

async function readInbox(
  db: Kysely<Database>,
  lies: { merchantId: string; day: string; mseq: number },
): Promise<string | undefined> {
  const row = await db
    .selectFrom('inbox')
    .select('body')
    .where('merchant_id', '=', lies.merchantId)
    .where('day', '=', lies.day)
    .where('mseq', '=', lies.mseq)
    .executeTakeFirst();
  return row?.body.toString('utf8');
}

async function readObject(s3: S3Client, bucket: string, key: string): Promise<string | undefined> {
  try {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return await Body?.transformToString('utf8');
  } catch (error) {
    if (error instanceof Error && error.name === 'NoSuchKey') return undefined;
    throw error;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
