import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { z } from 'zod';

/** One item of a part: what its network takes, or that it is no longer offered. */
export type FeedLine = { item: string; body: Record<string, unknown> } | { item: string; remove: true };

const feedLine = z.union([
  z.strictObject({ item: z.string(), remove: z.literal(true) }),
  z.strictObject({ item: z.string(), body: z.record(z.string(), z.unknown()) }),
]);

/** A thousand of the largest items, and more: a part beyond it was not written by us. */
const MAX_PART_BYTES = 64_000_000;

const zip = promisify(gzip);
const unzip = promisify(gunzip);

/** JSON Lines, gzip. */
export const packPart = async (lines: readonly FeedLine[]): Promise<Buffer> =>
  await zip(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));

export async function unpackPart(body: Buffer): Promise<FeedLine[]> {
  const text = (await unzip(body, { maxOutputLength: MAX_PART_BYTES })).toString('utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => feedLine.parse(JSON.parse(line)));
}
