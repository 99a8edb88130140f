import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import type { EffectResult } from '../../events/destination.ts';
import { LanewayError } from '../../runtime/errors.ts';

const compress = promisify(gzip);
const decompress = promisify(gunzip);

const manifestSchema = z.object({
  dataClass: z.string(),
  month: z.string(),
  rows: z.int(),
  parts: z.array(z.object({ key: z.string(), rows: z.int(), sha256: z.string() })),
});
export type Manifest = z.infer<typeof manifestSchema>;
export type ArchivedPart = Manifest['parts'][number];

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Rows as compressed lines of JSON in parts, and a manifest that names these with their hashes and is written last. */
export interface ArchiveStore {
  writePart(key: string, lines: readonly string[], signal: AbortSignal): Promise<ArchivedPart>;
  /** Resolves once everything that the manifest names has read back as it was written. */
  writeManifest(key: string, manifest: Manifest, signal: AbortSignal): Promise<EffectResult>;
  /**
   * What a manifest names, read back; `contentSha256` is of its lines. Undefined without a manifest. `damaged` where
   * anything that it names is missing or differs.
   */
  verify(key: string, signal: AbortSignal): Promise<EffectResult | 'damaged' | undefined>;
}

export function createArchiveStore({ s3, bucket: Bucket }: { s3: S3Client; bucket: string }): ArchiveStore {
  const put = async (Key: string, Body: Uint8Array, abortSignal: AbortSignal) =>
    await s3.send(new PutObjectCommand({ Bucket, Key, Body }), { abortSignal });

  const get = async (Key: string, abortSignal: AbortSignal): Promise<Uint8Array | undefined> => {
    try {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }), { abortSignal });
      return await Body?.transformToByteArray();
    } catch (error) {
      if (error instanceof Error && error.name === 'NoSuchKey') return undefined;
      throw error;
    }
  };

  const verify: ArchiveStore['verify'] = async (key, signal) => {
    const bytes = await get(key, signal);
    if (bytes === undefined) return undefined;
    const manifest = manifestSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
    const content = createHash('sha256');
    let rows = 0;
    for (const part of manifest.parts) {
      const body = await get(part.key, signal);
      if (body === undefined || sha256(body) !== part.sha256) return 'damaged';
      const lines = await decompress(body);
      content.update(lines);
      rows += lines.toString('utf8').split('\n').length - 1;
    }
    if (rows !== manifest.rows) return 'damaged';
    return { externalId: key, actual: { rows, sha256: sha256(bytes), contentSha256: content.digest('hex') } };
  };

  return {
    verify,
    async writePart(key, lines, signal) {
      const body = await compress(lines.map((line) => `${line}\n`).join(''));
      await put(key, body, signal);
      return { key, rows: lines.length, sha256: sha256(body) };
    },
    async writeManifest(key, manifest, signal) {
      await put(key, Buffer.from(JSON.stringify(manifest), 'utf8'), signal);
      const result = await verify(key, signal);
      if (result === undefined || result === 'damaged')
        throw new LanewayError('effect.unavailable', `the archive of ${key} does not read back as it was written`, {
          retry: 'backoff',
        });
      return result;
    },
  };
}
