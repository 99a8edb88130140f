import type { LockFile, Manifest } from './read-lock.ts';
import { nameOf, packagesInImages } from './read-lock.ts';

/** Licences that ask for no more than to be named. Whatever else comes in is for a person to decide. */
export const allowedLicences: ReadonlySet<string> = new Set([
  'MIT',
  'Apache-2.0',
  'ISC',
  '0BSD',
  'BSD-2-Clause',
  'BSD-3-Clause',
]);

/**
 * What is wrong with the lock file, each a sentence; empty when nothing is. Known vulnerabilities are not among it: those
 * change without the file, and are asked for by `npm audit`.
 */
export function auditLock(lock: LockFile, manifest: Manifest): string[] {
  const packages = Object.entries(lock.packages).filter(([path]) => path !== '');
  const direct = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
  return [
    ...packages
      .filter(([, { integrity }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ''))
      .map(([path]) => `${path} has no SHA-512, so other bytes could be installed under its name`),
    ...packages
      .filter(([, { resolved, link }]) => link === true || (resolved !== undefined && !isRegistry(resolved)))
      .map(([path, { resolved }]) => `${path} comes from ${resolved ?? 'a folder'}, not from a registry over TLS`),
    ...packages
      // Optional ones are binaries for platforms, each decided on where its platform is supported.
      .filter(
        ([path, each]) => each.hasInstallScript === true && !each.optional && !(nameOf(path) in manifest.allowScripts),
      )
      .map(([path]) => `${path} has an install script that allowScripts in package.json says nothing about`),
    ...Object.entries(direct)
      .filter(([, version]) => !oneVersion.test(version))
      .map(([name, version]) => `${name} is asked for as ${version}, not as one version`),
    ...Object.entries(direct)
      .filter(([, version]) => oneVersion.test(version))
      .filter(([name, version]) => (lock.packages[`node_modules/${name}`]?.version ?? version) !== version)
      .map(([name, version]) => `${name} is locked at another version than ${version}`),
    ...packagesInImages(lock)
      .filter(({ licence }) => !allowedLicences.has(licence ?? ''))
      .map(
        ({ name, version, licence }) => `${name} ${version} is under ${licence ?? 'no licence'}, which is not allowed`,
      ),
  ];
}

const oneVersion = /^\d+\.\d+\.\d+(-[\w.]+)?$/;

/** A registry's archive of a package, from whichever host serves it. */
const isRegistry = (address: string): boolean => /^https:\/\/[^/]+\/.*\/-\/[^/]+\.tgz$/.test(address);
