import { type LockFile, packagesInImages } from './read-lock.ts';

/** docs/licences.md: every package in the images with its licence. */
export function licencesDocument(lock: LockFile): string {
  const packages = packagesInImages(lock);
  const byLicence = new Map<string, number>();
  for (const { licence = 'none' } of packages) byLicence.set(licence, (byLicence.get(licence) ?? 0) + 1);
  const sums = [...byLicence].toSorted(([, a], [, b]) => b - a).map(([licence, count]) => `${count} under ${licence}`);
  return [
    '# Licences',
    '',
    'Made from the lock file by `npm run supply-chain -- licences`; do not edit. What `npm ci --omit=dev --omit=optional`',
    `installs into both images: ${packages.length} packages, ${sums.join(', ')}. \`npm run supply-chain -- audit\` refuses others`,
    'than those named in `ops/supply-chain/audit-lock.ts`.',
    '',
    '| package | version | licence |',
    '| --- | --- | --- |',
    ...packages.map(({ name, version, licence }) => `| ${name} | ${version} | ${licence ?? 'none'} |`),
    '',
  ].join('\n');
}
