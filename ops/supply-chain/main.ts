/**
 * `npm run supply-chain -- audit | vulnerabilities | licences | sbom --image worker|gateway [--release R]`: checks the lock file,
 * asks what is known against its packages, and says what the images are made of. Exit code 0: nothing is wrong. 1: something
 * is, or whether something is could not be asked. 2: wrong usage.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { InvalidArgument, readArguments, refuseOtherOptions, sayUsage } from '../arguments.ts';
import { type ImageDefinition, images } from '../images/images.ts';
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

function sbom(image: ImageDefinition, release: string): number {
  const document = billOfMaterials(image, release, readLock(), baseOf(image.dockerfile));
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  process.stderr.write(
    "Without the base's own packages: npm run images -- --sbom FOLDER reads those from the built image.\n",
  );
  return 0;
}

type Command =
  | { kind: 'audit' }
  | { kind: 'vulnerabilities' }
  | { kind: 'licences' }
  | { kind: 'sbom'; image: ImageDefinition; release: string };

const taken = { audit: [], vulnerabilities: [], licences: [], sbom: ['image', 'release'] };

const parse = () =>
  readArguments((): Command | { kind: 'help' } => {
    const { values, positionals } = parseArgs({
      options: {
        image: { type: 'string' },
        release: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
      allowPositionals: true,
    });
    const { help, ...given } = values;
    if (help) return { kind: 'help' };
    const name = positionals.join(' ');
    refuseOtherOptions(name, given, taken);
    switch (name) {
      case 'audit':
      case 'vulnerabilities':
      case 'licences':
        return { kind: name };
      case 'sbom': {
        const image = images.find((each) => each.name === given.image);
        if (image === undefined)
          throw new InvalidArgument(`sbom takes --image ${images.map((each) => each.name).join('|')}`);
        return { kind: name, image, release: given.release ?? 'unreleased' };
      }
      default:
        throw new InvalidArgument(name === '' ? 'a command is missing' : `there is no command "${name}"`);
    }
  });

async function main(): Promise<number> {
  const command = parse();
  switch (command.kind) {
    case 'help':
    case 'invalid':
      return sayUsage(command, usage);
    case 'audit':
      return audit();
    case 'vulnerabilities':
      return await vulnerabilities();
    case 'licences':
      process.stdout.write(licencesDocument(readLock()));
      return 0;
    case 'sbom':
      return sbom(command.image, command.release);
    default:
      return command satisfies never;
  }
}

process.exitCode = await main();
