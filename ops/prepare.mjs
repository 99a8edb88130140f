/**
 * Makes a clone ready to run: npm packages, a new enough Node for npm scripts, a Redis server. npm runs it before
 * `start`, `test` and `check` with whatever Node is on PATH, hence plain JavaScript for Node 18. Says nothing when
 * there is nothing to do.
 *
 * Each step is done in full or not at all: packages count as installed once their stamp is written, an unpacked Redis
 * once its folder has its final name, and .laneway/tools.json is written last, so a run cut short is taken up again.
 */
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { withLock } from './prepare-lock.mjs';
import { findOnPath, provideRedis, readTools, searchPath, toolsFile } from './prepare-redis.mjs';
import { PrepareError, say } from './prepare-report.mjs';

const run = promisify(execFile);

const oldestNodeToPrepare = 18;
const oldestNodeToRun = 24;

/** Only what decides on the installation: editing a script must not reinstall everything. */
export function installationHash(root) {
  const { dependencies, devDependencies, optionalDependencies, overrides, allowScripts } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  );
  return createHash('sha256')
    .update(JSON.stringify({ dependencies, devDependencies, optionalDependencies, overrides, allowScripts }))
    .update(readFileSync(join(root, 'package-lock.json')))
    .update(`${process.platform} ${process.arch}`)
    .digest('hex');
}

const stampFile = (root) => join(root, 'node_modules', '.laneway-stamp');

/** Why packages have to be installed, or undefined when they are in place. */
export function staleness(root) {
  if (!existsSync(join(root, 'node_modules'))) return 'missing';
  if (!existsSync(stampFile(root))) return 'unfinished';
  return readFileSync(stampFile(root), 'utf8').trim() === installationHash(root) ? undefined : 'outdated';
}

export function writeStamp(root) {
  replaceFile(stampFile(root), `${installationHash(root)}\n`);
}

async function installPackages(root) {
  const npm = findOnPath(['npm'], installPath());
  if (npm === undefined) throw new PrepareError('npm is not on PATH. Install Node with npm: https://nodejs.org');
  const reason = staleness(root);
  say(`installing npm packages (${reason}; a minute or so)…`);
  const startedAt = Date.now();
  // npm ci empties node_modules first; should it be cut short before that, the old stamp must not stand for the rest
  rmSync(stampFile(root), { force: true });
  // `npm --silent test` and NODE_ENV=production reach this npm by the environment: neither is meant for it
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error', '--include=dev', '--include=optional'];
  const { code, output } = await runToEnd(npm, args, { cwd: root, env: { ...process.env, PATH: installPath() } });
  if (code !== 0) {
    // npm says what is wrong first, and how it is used in general after that
    const lines = output.trim().split('\n').slice(0, 40).join('\n');
    throw new PrepareError(
      `npm could not install the packages:\n${lines}\n\nOnce that is mended, run by hand:\n  cd ${root} && npm ci`,
    );
  }
  writeStamp(root);
  say(`npm packages installed in ${Math.round((Date.now() - startedAt) / 1000)} s`);
}

/** PATH without node_modules/.bin, whose Node disappears while npm reinstalls it. */
function installPath() {
  return searchPath()
    .filter((folder) => !folder.endsWith(join('node_modules', '.bin')))
    .join(delimiter);
}

const majorOf = (version) => Number(/^v?(\d+)\./.exec(version)?.[1] ?? 0);

/** The complaint about a Node version, or undefined when it is new enough. */
export function nodeProblem(version, oldest) {
  if (majorOf(version) >= oldest) return undefined;
  return oldest === oldestNodeToRun
    ? `npm scripts would run Node ${version} here, and Laneway needs ${oldest} or newer; npm has no packaged Node for ${process.platform}-${process.arch}, or left it out. Install Node ${oldest} or newer: https://nodejs.org`
    : `this is Node ${version}; Node ${oldest} or newer is needed to start (Laneway then brings its own): https://nodejs.org`;
}

/** The Node that npm scripts find first on PATH once packages are installed. */
async function checkScriptsNode(root) {
  const own = join(root, 'node_modules', '.bin', 'node');
  let version = process.version;
  if (existsSync(own))
    version = await run(own, ['--version']).then(
      ({ stdout }) => stdout.trim(),
      () => 'unknown (it does not start)',
    );
  const problem = nodeProblem(version, oldestNodeToRun);
  if (problem !== undefined) throw new PrepareError(problem);
}

function replaceFile(file, text) {
  const next = `${file}.${process.pid}`;
  writeFileSync(next, text);
  renameSync(next, file);
}

/** Runs a command that must not outlive this process, whatever ends it. */
async function runToEnd(command, args, options) {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const end = () => child.kill('SIGTERM');
  process.once('exit', end);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const code = await new Promise((settle) => {
    child.once('error', (error) => {
      output += error.message;
      settle(1);
    });
    child.once('close', settle);
  });
  process.off('exit', end);
  return { code, output };
}

async function main(root) {
  const problem = nodeProblem(process.version, oldestNodeToPrepare);
  if (problem !== undefined) throw new PrepareError(problem);
  if (process.platform === 'win32')
    throw new PrepareError('Laneway needs Linux or macOS; on Windows run it inside WSL');

  const isReady = () => staleness(root) === undefined && readTools(root) !== undefined;
  if (!isReady()) {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));
    mkdirSync(join(root, '.laneway'), { recursive: true });
    await withLock(join(root, '.laneway', 'prepare.lock'), async () => {
      if (staleness(root) !== undefined) await installPackages(root);
      if (readTools(root) !== undefined) return;
      const tools = await provideRedis(root);
      replaceFile(toolsFile(root), `${JSON.stringify(tools, undefined, 2)}\n`);
      say(`Redis server: ${tools.redisServer}`);
    });
  }
  await checkScriptsNode(root);
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await main(resolve(fileURLToPath(new URL('..', import.meta.url)))).catch((error) => {
    // errors of the system (disk full, files of another user) say enough by their message
    say(error instanceof PrepareError || error.syscall !== undefined ? error.message : error.stack);
    process.exitCode = 1;
  });
}
