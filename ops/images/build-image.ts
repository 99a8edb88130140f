import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { projectRoot } from '../local/data-folder.ts';
import { type ImageDefinition, tagOf } from './images.ts';
import { runTool } from './run-tool.ts';

export interface BuiltImage extends ImageDefinition {
  tag: string;
  /** All of it, and what it has beside the base. */
  megabytes: number;
  addedMegabytes: number;
  user: string;
  /** What the image asks itself whether it is well with. */
  healthCommand: readonly string[];
}

const MINUTES = 60_000;

/** Builds an image from its Dockerfile as it is, on the given base. */
export async function buildImage(image: ImageDefinition, base: string, release: string): Promise<BuiltImage> {
  const tag = tagOf(image.name, release);
  await runTool(
    'buildah',
    [
      'build',
      // Root without a user namespace is all that many build servers have.
      ...['--isolation', 'chroot', '--pull-never', '--format', 'docker', '--layers'],
      ...['--build-arg', `NODE_IMAGE=${base}`, '--build-arg', `RELEASE=${release}`],
      ...certificates(),
      ...['--file', join(projectRoot, image.dockerfile), '--tag', tag, projectRoot],
    ],
    10 * MINUTES,
  );
  const [size, baseSize] = [await sizeOf(tag), await sizeOf(base)];
  const user = await runTool('podman', ['image', 'inspect', tag, '--format', '{{.Config.User}}'], MINUTES);
  const asks = await runTool(
    'podman',
    ['image', 'inspect', tag, '--format', '{{json .Config.Healthcheck.Test}}'],
    MINUTES,
  );
  const [kind, ...healthCommand] = z.array(z.string()).parse(JSON.parse(asks));
  if (kind !== 'CMD') throw new Error(`${image.dockerfile}: its HEALTHCHECK is ${asks}`);
  return { ...image, tag, megabytes: megabytes(size), addedMegabytes: megabytes(size - baseSize), user, healthCommand };
}

/** Authorities of a proxy that signs for itself, where this machine has one: for the build alone, never in the image. */
function certificates(): string[] {
  const file = process.env['NODE_EXTRA_CA_CERTS'];
  return file !== undefined && existsSync(file) ? ['--secret', `id=certificates,src=${file}`] : [];
}

const sizeOf = async (tag: string): Promise<number> =>
  Number(await runTool('podman', ['image', 'inspect', tag, '--format', '{{.Size}}'], MINUTES));
const megabytes = (bytes: number): number => Math.round(bytes / 1_000_000);
