import type { ImageDefinition } from '../images/images.ts';
import { type LockFile, type LockedPackage, packagesInImages } from './read-lock.ts';

/** A package of the base's operating system. */
export interface SystemPackage {
  name: string;
  version: string;
}

/**
 * What an image consists of, as a CycloneDX 1.6 document. The same lock file and base give the same document: it has no time
 * and no number of its own, so that two releases can be compared by it.
 */
export function billOfMaterials(
  image: Pick<ImageDefinition, 'name'>,
  release: string,
  lock: LockFile,
  base: { image: string; node: string; packages: readonly SystemPackage[] },
) {
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: { 'bom-ref': image.name, type: 'container', name: `laneway-${image.name}`, version: release },
    },
    components: [
      { 'bom-ref': 'base', type: 'container', name: base.image },
      { 'bom-ref': 'node', type: 'platform', name: 'node', version: base.node, licenses: [{ license: { id: 'MIT' } }] },
      ...base.packages.map(systemComponent),
      ...packagesInImages(lock).map(npmComponent),
    ],
  };
}

const systemComponent = ({ name, version }: SystemPackage) => {
  const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}`;
  return { 'bom-ref': purl, type: 'library', name, version, purl };
};

function npmComponent({ path, name, version, licence, integrity }: LockedPackage) {
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  return {
    // The path, since a package may lie in several places in one version.
    'bom-ref': path,
    type: 'library',
    name,
    version,
    purl,
    ...(licence === undefined ? {} : { licenses: [{ license: { id: licence } }] }),
    ...(integrity === undefined ? {} : { hashes: [{ alg: 'SHA-512', content: hexadecimal(integrity) }] }),
  };
}

const hexadecimal = (integrity: string): string =>
  Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex');
