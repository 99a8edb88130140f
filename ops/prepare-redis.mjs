/**
 * A Redis or Valkey server to run: one that is installed, one unpacked earlier, or one fetched with apt-get and
 * unpacked below .laneway. Which one is written to .laneway/tools.json, for whoever starts it.
 */
import { execFile } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { PrepareError, say } from './prepare-report.mjs';

const run = promisify(execFile);

/** BullMQ warns below this one */
const oldestRedis = [6, 2];

const serverNames = ['redis-server', 'valkey-server'];
/** Where servers lie that a user's PATH does not show. */
const serverFolders = ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin', '/opt/homebrew/bin'];

export const searchPath = () => (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');

export const toolsFile = (root) => join(root, '.laneway', 'tools.json');

/** The first executable file with one of these names, folder by folder. */
export function findOnPath(names, path, moreFolders = []) {
  const folders = [...path.split(delimiter).filter((folder) => folder !== ''), ...moreFolders];
  return folders.flatMap((folder) => names.map((name) => resolve(folder, name))).find(isExecutable);
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** The recorded tools, or undefined when there are none, or they are gone. */
export function readTools(root) {
  try {
    const tools = JSON.parse(readFileSync(toolsFile(root), 'utf8'));
    return typeof tools.redisServer === 'string' && isExecutable(tools.redisServer) ? tools : undefined;
  } catch {
    return undefined;
  }
}

/** The complaint about the output of `redis-server --version`, or undefined when that server will do. */
export function redisProblem(output) {
  const [, major, minor] = /\bv=(\d+)\.(\d+)/.exec(output) ?? [];
  if (major === undefined) return 'it does not tell its version';
  const [oldestMajor, oldestMinor] = oldestRedis;
  const isOld = Number(major) < oldestMajor || (Number(major) === oldestMajor && Number(minor) < oldestMinor);
  return isOld ? `it is version ${major}.${minor}, and ${oldestRedis.join('.')} or newer is needed` : undefined;
}

async function problemOf({ redisServer, libraryPath }) {
  const env = libraryPath === undefined ? process.env : { ...process.env, LD_LIBRARY_PATH: libraryPath };
  return run(redisServer, ['--version'], { env }).then(
    ({ stdout }) => redisProblem(stdout),
    (error) => `it does not start: ${error.stderr || error.message}`.trim(),
  );
}

/** The first sound server, tried in the order of how little it costs. */
export async function provideRedis(root) {
  const unpacked = join(root, '.laneway', 'redis');
  const complaints = [];
  const sound = async (tools) => {
    if (tools === undefined) return false;
    const problem = await problemOf(tools);
    if (problem !== undefined) complaints.push(`${tools.redisServer} was found, but ${problem}`);
    return problem === undefined;
  };
  const installed = findOnPath(serverNames, searchPath().join(delimiter), serverFolders);
  const candidates = [() => installed && { redisServer: installed }, () => unpackedTools(unpacked)];
  if (findOnPath(['apt-get'], searchPath().join(delimiter)) && findOnPath(['dpkg'], searchPath().join(delimiter))) {
    candidates.push(() => downloadRedis(unpacked, complaints));
  }
  for (const candidate of candidates) {
    const tools = (await candidate()) || undefined;
    if (await sound(tools)) return tools;
  }
  throw new PrepareError(redisMissing(complaints));
}

export function redisMissing(complaints) {
  return [
    'a Redis or Valkey server is needed, and none could be found or fetched.',
    ...complaints.map((complaint) => `  - ${complaint}`),
    `Put redis-server or valkey-server, ${oldestRedis.join('.')} or newer, on PATH, then run this again:`,
    '  Debian, Ubuntu  sudo apt-get install redis-server',
    '  Fedora          sudo dnf install valkey',
    '  Alpine          apk add redis',
    '  macOS           brew install redis',
  ].join('\n');
}

/** The server in a folder into which packages were unpacked, with the folders of its libraries. */
export function unpackedTools(folder) {
  const redisServer = serverNames.map((name) => join(folder, 'usr', 'bin', name)).find(isExecutable);
  if (redisServer === undefined) return undefined;
  const libraryFolders = ['usr/lib', 'lib']
    .map((path) => join(folder, path))
    .filter((path) => existsSync(path))
    .flatMap((path) => [path, ...foldersIn(path)])
    .filter((path) => readdirSync(path).some((name) => name.includes('.so')));
  return { redisServer, ...(libraryFolders.length > 0 && { libraryPath: libraryFolders.join(delimiter) }) };
}

const foldersIn = (path) =>
  readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(path, entry.name));

/**
 * Fetches Debian packages and unpacks them below .laneway: needs no root, changes nothing on the system and, unlike
 * installing the package, starts no service.
 */
async function downloadRedis(target, complaints) {
  say('fetching a Redis server with apt-get (it stays in .laneway)…');
  // under the lock: whatever another process left here, it is not at it any more
  const work = `${target}.unfinished`;
  rmSync(work, { recursive: true, force: true });
  try {
    for (const folder of ['packages', 'unpacked', 'lists/partial', 'cache/archives/partial']) {
      mkdirSync(join(work, folder), { recursive: true });
    }
    // package lists of our own are for machines whose lists are missing or name versions the mirrors no longer have
    const ownLists = [`Dir::State::Lists=${join(work, 'lists')}`, `Dir::Cache=${join(work, 'cache')}`];
    let fetched = await fetchPackages(work, [], complaints);
    if (!fetched) {
      complaints.length = 0;
      // one list that cannot be had is worth a complaint, but the others may do
      await apt(work, [...ownLists, 'APT::Update::Error-Mode=any'], ['update'], complaints);
      fetched = await fetchPackages(work, ownLists, complaints);
    }
    if (!fetched) return undefined;
    for (const name of readdirSync(join(work, 'packages'))) {
      await run('dpkg', ['-x', join(work, 'packages', name), join(work, 'unpacked')]);
    }
    rmSync(target, { recursive: true, force: true });
    renameSync(join(work, 'unpacked'), target);
    // what went wrong on the way is of no interest any more
    complaints.length = 0;
    return unpackedTools(target);
  } catch (error) {
    complaints.push(`unpacking failed: ${error.stderr || error.message}`.trim());
    return undefined;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function fetchPackages(work, options, complaints) {
  for (const server of serverNames) {
    const plan = await apt(work, options, ['install', '--simulate', '--no-install-recommends', server], complaints);
    if (plan === undefined) continue;
    const missing = packagesToUnpack(plan);
    // nothing missing: installed according to dpkg, though no sound server was found; the tools hold the program itself
    const packages = missing.length > 0 ? missing : [server, server.replace('-server', '-tools')];
    if ((await apt(work, options, ['download', ...packages], complaints)) !== undefined) return true;
  }
  return false;
}

/**
 * The packages that `apt-get install --simulate` would add. Left out: those it would only upgrade, and the C library,
 * which cannot be mixed with the one of the system.
 */
export function packagesToUnpack(plan) {
  return [...plan.matchAll(/^Inst (\S+) \(/gm)]
    .map(([, name]) => name)
    .filter((name) => !/^(libc6|libc-bin)\b/.test(name));
}

async function apt(work, options, args, complaints) {
  const all = [...options, 'Debug::NoLocking=1', 'Acquire::Retries=2'].flatMap((option) => ['-o', option]);
  try {
    const { stdout } = await run('apt-get', ['-q', ...all, ...args], {
      cwd: join(work, 'packages'),
      env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
      maxBuffer: 1e8,
    });
    return stdout;
  } catch (error) {
    complaints.push(`apt-get ${args.join(' ')}: ${(error.stderr || error.message).trim().split('\n').at(-1)}`);
    return undefined;
  }
}
