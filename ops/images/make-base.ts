import { existsSync, mkdirSync, realpathSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { projectRoot } from '../local/data-folder.ts';
import { tagOf } from './images.ts';
import { findTool, runTool, tryTool } from './run-tool.ts';

const folder = join(projectRoot, '.laneway', 'images');
const SUITE = 'bookworm';
/** A minute on a machine that has nothing else to do. */
const BOOTSTRAP_DEADLINE_MS = 15 * 60_000;

/**
 * A stand-in for the published image of Node where none can be pulled: Debian at its smallest with this machine's own Node
 * and npm, where that image has them. Made once; resolves with its tag.
 */
export async function makeBase(): Promise<string> {
  const tag = tagOf('node-stand-in', process.versions.node);
  if ((await tryTool('buildah', ['inspect', '--type', 'image', tag], 30_000)).code === 0) return tag;
  const debian = await debianArchive();
  const npm = npmFolder();
  const container = await runTool('buildah', ['from', 'scratch'], 30_000);
  try {
    await runTool('buildah', ['add', '--quiet', container, debian, '/'], 120_000);
    await runTool(
      'buildah',
      ['copy', '--quiet', container, realpathSync(process.execPath), '/usr/local/bin/node'],
      60_000,
    );
    await runTool('buildah', ['copy', '--quiet', container, npm, '/usr/local/lib/node_modules/npm'], 60_000);
    await runTool(
      'buildah',
      [
        'run',
        '--isolation',
        'chroot',
        container,
        '--',
        'ln',
        '-s',
        '../lib/node_modules/npm/bin/npm-cli.js',
        '/usr/local/bin/npm',
      ],
      60_000,
    );
    const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
    await runTool('buildah', ['config', '--env', `PATH=${path}`, container], 30_000);
    await runTool('buildah', ['commit', '--quiet', '--format', 'docker', container, tag], 180_000);
  } finally {
    await tryTool('buildah', ['rm', container], 30_000);
  }
  return tag;
}

/** Under its final name only once it is whole. */
async function debianArchive(): Promise<string> {
  const archive = join(folder, `${SUITE}.tar`);
  if (existsSync(archive)) return archive;
  mkdirSync(folder, { recursive: true });
  const draft = join(folder, `${SUITE}.draft.tar`);
  const packages = '--include=ca-certificates,libstdc++6,libatomic1';
  await runTool('mmdebstrap', ['--variant=minbase', packages, SUITE, draft], BOOTSTRAP_DEADLINE_MS);
  renameSync(draft, archive);
  return archive;
}

function npmFolder(): string {
  const npm = findTool('npm');
  if (npm === undefined) throw new Error('npm is not on PATH: the stand-in needs it to build');
  // …/npm/bin/npm-cli.js
  return dirname(dirname(realpathSync(npm)));
}
