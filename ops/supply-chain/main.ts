/**
 * `npm run supply-chain -- audit | vulnerabilities | licences | sbom --image worker|gateway [--release R]`: checks the lock file,
 * asks what is known against its packages, and says what the images are made of. Exit code 0: nothing is wrong. 1: something
 * is, or whether something is could not be asked. 2: wrong usage.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { images } from '../images/images.ts';
import { projectRoot } from '../local/data-folder.ts';
import { auditLock } from './audit-lock.ts';
import { billOfMaterials } from './bill-of-materials.ts';
import { askForVulnerabilities } from './known-vulnerabilities.ts';
import { licencesDocument } from './licences-document.ts';
import { packagesInImages, readLock, readManifest } from './read-lock.ts';

const usage = `usage: npm run supply-chain -- audit
       npm run supply-chain -- vulnerabilities
       npm run supply-chain -- licences
       npm run supply-chain -- sbom --image worker|gateway [--release R]
`;

function audit(): number {
  const lock = readLock();
  const complaints = auditLock(lock, readManifest());
  for (const complaint of complaints) process.stderr.write(`${complaint}\n`);
  const checked = { packages: Object.keys(lock.packages).length - 1, inImages: packagesInImages(lock).length };
  process.stdout.write(`${JSON.stringify({ ...checked, complaints })}\n`);
  process.stderr.write(
    'What is known against packages changes without this file: npm run supply-chain -- vulnerabilities.\n',
  );
  return complaints.length === 0 ? 0 : 1;
}

async function vulnerabilities(): Promise<number> {
  const answer = await askForVulnerabilities(projectRoot);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
  switch (answer.kind) {
    case 'none':
      return 0;
    case 'known':
      for (const each of answer.vulnerabilities) process.stderr.write(`${each}\n`);
      return 1;
    case 'unasked':
      process.stderr.write(`\nNOT ASKED: what is known against packages was NOT looked at: ${answer.reason}\n\n`);
      return 1;
    default:
      return answer satisfies never;
  }
}

/** The base that a Dockerfile names, and Node's version in it. */
function baseOf(dockerfile: string): { image: string; node: string; packages: [] } {
  const [, image = '', node = ''] =
    /^ARG NODE_IMAGE=(\S+?:(\d+\.\d+\.\d+)\S*)$/m.exec(readFileSync(join(projectRoot, dockerfile), 'utf8')) ?? [];
  return { image, node, packages: [] };
}

function sbom(name: string | undefined, release: string): number | undefined {
  const image = images.find((each) => each.name === name);
  if (image === undefined) return undefined;
  const document = billOfMaterials(image, release, readLock(), baseOf(image.dockerfile));
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  process.stderr.write(
    "Without the base's own packages: npm run images -- --sbom FOLDER reads those from the built image.\n",
  );
  return 0;
}

async function main(): Promise<number | undefined> {
  try {
    const { values, positionals } = parseArgs({
      options: { image: { type: 'string' }, release: { type: 'string', default: 'unreleased' } },
      allowPositionals: true,
    });
    switch (positionals.join(' ')) {
      case 'audit':
        return audit();
      case 'vulnerabilities':
        return await vulnerabilities();
      case 'licences':
        process.stdout.write(licencesDocument(readLock()));
        return 0;
      case 'sbom':
        return sbom(values.image, values.release);
      default:
        return undefined;
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return undefined;
  }
}

const exitCode = await main();
if (exitCode === undefined) process.stderr.write(usage);
process.exitCode = exitCode ?? 2;
