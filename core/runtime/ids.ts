import { createHmac, createSecretKey, hash, randomUUID } from 'node:crypto';
import { randomText } from './random.ts';

/** Ids of things that we name ourselves. */
export const newId = (): string => randomUUID();

/**
 * The token that names one owner of a fence. Random, never a counter: a counter that was rolled back, or restored to a
 * point in time, is issued twice and then lets a stale owner pass.
 */
export const newOwner = (): string => randomText(12, 'base64url');

const sha256 = (text: string): Buffer => hash('sha256', text, 'buffer');

/**
 * The id of an emitted event, derived from its cause, so that running the cause again emits the same event and not a
 * second one. Shaped like a UUID (version 8: vendor-specific) for consumers that insist on one.
 */
export function derivedEventId(causeEventId: string, handler: string, ordinal: number): string {
  const bytes = sha256(JSON.stringify([causeEventId, handler, ordinal])).subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/**
 * Keyed, so that a stored mark cannot be used to test guesses about a body that holds personal data. The key is made once:
 * from a text it would be made again for each body, at half the cost of hashing one.
 */
export function createBodyHmac(secret: string): (body: Buffer) => Buffer {
  const key = createSecretKey(secret, 'utf8');
  return (body) => createHmac('sha256', key).update(body).digest();
}

export const contentHash = (value: unknown): string => sha256(JSON.stringify(value)).toString('hex').slice(0, 32);

const MAX_ENCODED = 100;
const NEEDS_NO_ENCODING = /^[A-Za-z0-9_.-]{0,100}$/;

/**
 * Merchant ids come from outside and may hold anything; Redis keys, BullMQ names and SQS group ids may not. Letters,
 * digits, `_`, `-` and `.` stay; every other byte becomes `~XX`; what grows over 100 characters keeps its start and ends in
 * a hash after `~~`, which the escaping itself never produces. Different ids never share an encoding.
 */
export function encodeMerchant(merchantId: string): string {
  if (NEEDS_NO_ENCODING.test(merchantId)) return merchantId;
  let encoded = '';
  for (const byte of Buffer.from(merchantId, 'utf8')) {
    const char = String.fromCharCode(byte);
    encoded += /[A-Za-z0-9_.-]/.test(char) ? char : `~${byte.toString(16).padStart(2, '0').toUpperCase()}`;
  }
  if (encoded.length <= MAX_ENCODED) return encoded;
  return `${encoded.slice(0, 50)}~~${sha256(merchantId).toString('hex').slice(0, 40)}`;
}

/** Stable small hash for partitions and shards; the same in every process and release. */
export const shardOf = (merchantId: string, shards: number): number => sha256(merchantId).readUInt32BE(0) % shards;
