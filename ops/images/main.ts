/**
 * `npm run images`: lints the Dockerfiles, builds both images on a stand-in base, and runs them, confined, against the local
 * servers. A JSON object about it goes to standard output. What a missing tool keeps from being done is said loudly, and
 * `--require` makes it a failure. `--sbom FOLDER` writes what each image is made of. Exit code 0: nothing is wrong with what could be done. 1: something is. 2: wrong usage.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readArguments, sayUsage } from '../arguments.ts';
import { projectRoot } from '../local/data-folder.ts';
import { createProgress, explain } from '../local/progress.ts';
import { billOfMaterials } from '../supply-chain/bill-of-materials.ts';
import { readLock } from '../supply-chain/read-lock.ts';
import { type BuiltImage, buildImage } from './build-image.ts';
import { startEmbeddedStack } from './embedded-stack.ts';
import { type ImageDefinition, images } from './images.ts';
import { lintDockerfile } from './lint-dockerfile.ts';
import { makeBase } from './make-base.ts';
import { readSystemPackages } from './read-system-packages.ts';
import { findTool } from './run-tool.ts';
import { tryImages } from './try-images.ts';

const usage = `usage: npm run images -- [--require] [--sbom FOLDER]
  --require       fail when a tool is missing, instead of skipping
  --sbom FOLDER   write a bill of materials of each image into it
  --help          this text
`;
const RELEASE = 'trial';
const progress = createProgress();

interface Result {
  linted: string[];
  base?: string;
  images?: { name: string; megabytes: number; addedMegabytes: number; user: string }[];
  processes?: unknown;
  skipped: string[];
}

function lint(): string[] {
  const complaints = images.flatMap(({ dockerfile }) =>
    lintDockerfile(readFileSync(join(projectRoot, dockerfile), 'utf8')).map((what) => `${dockerfile}:${what}`),
  );
  if (complaints.length > 0) throw new Error(complaints.join('\n'));
  return images.map(({ dockerfile }) => dockerfile);
}

/** Why images cannot be built and run here, or nothing. */
function missing(): string[] {
  const lacks = ['buildah', 'podman', 'runc', 'mmdebstrap'].filter((tool) => findTool(tool) === undefined);
  return [
    ...lacks.map((tool) => `${tool} is not on PATH`),
    ...(process.getuid?.() === 0 ? [] : ['building without a user namespace takes root']),
  ];
}

async function buildAll(base: string): Promise<Record<ImageDefinition['name'], BuiltImage>> {
  const built: Partial<Record<ImageDefinition['name'], BuiltImage>> = {};
  for (const image of images) {
    built[image.name] = await progress.step(
      `building ${image.name}`,
      () => buildImage(image, base, RELEASE),
      ({ megabytes, addedMegabytes }) =>
        `${image.name}: ${megabytes} MB, of which ${addedMegabytes} MB beside the base`,
    );
  }
  const { worker, gateway } = built;
  if (worker === undefined || gateway === undefined) throw new Error('images.ts lacks an image');
  for (const { name, addedMegabytes, budgetMb } of [worker, gateway])
    if (addedMegabytes > budgetMb)
      throw new Error(`${name} has ${addedMegabytes} MB beside its base, more than ${budgetMb}: what came in?`);
  return { worker, gateway };
}

async function run(sbomFolder: string | undefined): Promise<Result> {
  const linted = lint();
  const skipped = missing();
  if (skipped.length > 0) return { linted, skipped };
  const base = await progress.step('making a stand-in for the base', makeBase, (tag) => `base ${tag}`);
  const built = await buildAll(base);
  if (sbomFolder !== undefined) for (const image of Object.values(built)) await writeBill(image, base, sbomFolder);
  await using embedded = await startEmbeddedStack(progress);
  const processes = await progress.step(
    'running the images',
    () => tryImages(built, embedded),
    () => 'all processes ran confined, took a campaign to the network, and drained',
  );
  return {
    linted,
    base,
    images: Object.values(built).map(({ name, megabytes, addedMegabytes, user }) => ({
      name,
      megabytes,
      addedMegabytes,
      user,
    })),
    processes,
    skipped,
  };
}

async function writeBill(image: BuiltImage, base: string, folder: string): Promise<void> {
  const packages = await readSystemPackages(image.tag);
  const bill = billOfMaterials(image, RELEASE, readLock(), { image: base, node: process.versions.node, packages });
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${image.name}.cdx.json`);
  writeFileSync(file, `${JSON.stringify(bill, null, 2)}\n`);
  progress.note(`${file}: ${bill.components.length} components`);
}

const parse = () =>
  readArguments((): { kind: 'run'; require: boolean; sbom: string | undefined } | { kind: 'help' } => {
    const { values } = parseArgs({
      options: {
        require: { type: 'boolean', default: false },
        sbom: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    return values.help ? { kind: 'help' } : { kind: 'run', require: values.require, sbom: values.sbom };
  });

async function main(): Promise<number> {
  const options = parse();
  if (options.kind !== 'run') return sayUsage(options, usage);
  try {
    const result = await run(options.sbom);
    if (result.skipped.length > 0)
      process.stderr.write(
        `\nSKIPPED: images were linted, NOT built and NOT run:\n  ${result.skipped.join('\n  ')}\n\n`,
      );
    process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
    return options.require && result.skipped.length > 0 ? 1 : 0;
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`);
    return 1;
  }
}

process.exitCode = await main();
