import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { projectRoot } from '../local/data-folder.ts';

const entry = z.object({
  version: z.string().optional(),
  resolved: z.string().optional(),
  integrity: z.string().optional(),
  license: z.string().optional(),
  dev: z.boolean().optional(),
  devOptional: z.boolean().optional(),
  optional: z.boolean().optional(),
  hasInstallScript: z.boolean().optional(),
  link: z.boolean().optional(),
});
const lockFile = z.object({ lockfileVersion: z.literal(3), packages: z.record(z.string(), entry) });
const manifestFile = z.object({
  version: z.string(),
  dependencies: z.record(z.string(), z.string()),
  devDependencies: z.record(z.string(), z.string()),
  optionalDependencies: z.record(z.string(), z.string()),
  allowScripts: z.record(z.string(), z.boolean()),
});

export type LockFile = z.infer<typeof lockFile>;
export type Manifest = z.infer<typeof manifestFile>;

/** A package as the lock file fixes it. */
export interface LockedPackage {
  /** Where it lies, `node_modules/a/node_modules/b`: one package can be there in several versions. */
  path: string;
  name: string;
  version: string;
  licence: string | undefined;
  /** `sha512-…`, by which npm refuses other bytes. */
  integrity: string | undefined;
}

const read = (file: string): unknown => JSON.parse(readFileSync(join(projectRoot, file), 'utf8'));
export const readLock = (): LockFile => lockFile.parse(read('package-lock.json'));
export const readManifest = (): Manifest => manifestFile.parse(read('package.json'));

export const nameOf = (path: string): string => path.split('node_modules/').at(-1) ?? path;

/** What `npm ci --omit=dev --omit=optional` installs, which is what is in the images; by name, then version. */
export const packagesInImages = (lock: LockFile): LockedPackage[] =>
  Object.entries(lock.packages)
    .filter(([path, { dev, devOptional, optional }]) => path !== '' && !dev && !devOptional && !optional)
    .map(([path, { version = '', license, integrity }]) => ({
      path,
      name: nameOf(path),
      version,
      licence: license,
      integrity,
    }))
    .toSorted((a, b) => (a.name === b.name ? a.version.localeCompare(b.version) : a.name < b.name ? -1 : 1));
