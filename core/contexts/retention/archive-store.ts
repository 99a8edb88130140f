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
  /** Writes a manifest and reads nothing back. */
  putManifest(key: string, manifest: Manifest, signal: AbortSignal): Promise<void>;
  /** Resolves once everything that the manifest names has read back as it was written. */
  writeManifest(key: string, manifest: Manifest, signal: AbortSignal): Promise<EffectResult>;
  /**
   * What a manifest names, read back; `contentSha256` is of its lines. Undefined without a manifest. `damaged` where
   * anything that it names is missing or differs.
   */
  verify(key: string, signal: AbortSignal): Promise<EffectResult | 'damaged' | undefined>;
  /**
   * The same of some of the parts, counted from one. `rows` are those of all parts, `sha256` is the manifest's, and `next` the
   * first part that is left.
   */
  verifyParts(
    key: string,
    which: { from: number; count: number },
    signal: AbortSignal,
  ): Promise<{ rows: number; sha256: string; next: number | undefined } | 'damaged' | undefined>;
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

  /** A manifest that adds up, and the hash of its bytes. */
  const getManifest = async (key: string, signal: AbortSignal) => {
    const bytes = await get(key, signal);
    if (bytes === undefined) return undefined;
    const manifest = manifestSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
    const rows = manifest.parts.reduce((sum, part) => sum + part.rows, 0);
    return rows === manifest.rows ? { manifest, sha256: sha256(bytes) } : ('damaged' as const);
  };

  /** The lines of a part; undefined where it is not what the manifest says. */
  const getPart = async (part: ArchivedPart, signal: AbortSignal): Promise<Buffer | undefined> => {
    const body = await get(part.key, signal);
    if (body === undefined || sha256(body) !== part.sha256) return undefined;
    const lines = await decompress(body);
    return lines.toString('utf8').split('\n').length - 1 === part.rows ? lines : undefined;
  };

  const verify: ArchiveStore['verify'] = async (key, signal) => {
    const found = await getManifest(key, signal);
    if (found === undefined || found === 'damaged') return found;
    const content = createHash('sha256');
    for (const part of found.manifest.parts) {
      const lines = await getPart(part, signal);
      if (lines === undefined) return 'damaged';
      content.update(lines);
    }
    const { rows } = found.manifest;
    return { externalId: key, actual: { rows, sha256: found.sha256, contentSha256: content.digest('hex') } };
  };

  const putManifest: ArchiveStore['putManifest'] = async (key, manifest, signal) => {
    await put(key, Buffer.from(JSON.stringify(manifest), 'utf8'), signal);
  };

  return {
    verify,
    putManifest,
    async verifyParts(key, { from, count }, signal) {
      const found = await getManifest(key, signal);
      if (found === undefined || found === 'damaged') return found;
      const { parts, rows } = found.manifest;
      const upTo = from - 1 + count;
      for (const part of parts.slice(from - 1, upTo)) if ((await getPart(part, signal)) === undefined) return 'damaged';
      return { rows, sha256: found.sha256, next: upTo < parts.length ? upTo + 1 : undefined };
    },
    async writePart(key, lines, signal) {
      const body = await compress(lines.map((line) => `${line}\n`).join(''));
      await put(key, body, signal);
      return { key, rows: lines.length, sha256: sha256(body) };
    },
    async writeManifest(key, manifest, signal) {
      await putManifest(key, manifest, signal);
      const result = await verify(key, signal);
      if (result === undefined || result === 'damaged')
        throw new LanewayError('effect.unavailable', `the archive of ${key} does not read back as it was written`, {
          retry: 'backoff',
        });
      return result;
    },
  };
}
