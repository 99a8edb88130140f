import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

/** What prepare.mjs and its parts export: plain JavaScript, because older versions of Node have to run it. */
interface Prepare {
  staleness(root: string): string | undefined;
  writeStamp(root: string): void;
  nodeProblem(version: string, oldest: number): string | undefined;
  findOnPath(names: string[], path: string, moreFolders?: string[]): string | undefined;
  readTools(root: string): { redisServer: string; libraryPath?: string } | undefined;
  redisProblem(output: string): string | undefined;
  redisMissing(complaints: string[]): string;
  unpackedTools(folder: string): { redisServer: string; libraryPath?: string } | undefined;
  packagesToUnpack(plan: string): string[];
  withLock<T>(lock: string, work: () => Promise<T>): Promise<T>;
}

const load = async (file: string): Promise<object> =>
  (await import(pathToFileURL(join(import.meta.dirname, file)).href)) as object;
const parts = ['prepare.mjs', 'prepare-redis.mjs', 'prepare-lock.mjs', 'prepare-report.mjs'];
const prepare = Object.assign({}, ...(await Promise.all(parts.map(load)))) as Prepare;

async function inTempFolder(use: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'prepare-'));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function write(file: string, text: string, mode = 0o644): string {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

/** A project small enough for `npm ci` without a network, with a Redis server that only knows its version. */
function smallProject(root: string): string {
  for (const part of parts) cpSync(join(import.meta.dirname, part), join(root, 'ops', part));
  write(join(root, 'tool/package.json'), '{ "name": "tool", "version": "1.0.0" }');
  write(join(root, 'package.json'), '{ "name": "small", "dependencies": { "tool": "file:./tool" } }');
  const packages = {
    '': { name: 'small', dependencies: { tool: 'file:./tool' } },
    tool: { version: '1.0.0' },
    'node_modules/tool': { resolved: 'tool', link: true },
  };
  write(
    join(root, 'package-lock.json'),
    JSON.stringify({ name: 'small', lockfileVersion: 3, requires: true, packages }),
  );
  write(join(root, 'bin/redis-server'), '#!/bin/sh\necho Redis server v=7.0.15 sha=00000000:0\n', 0o755);
  return root;
}

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

async function runPrepare(root: string): Promise<Outcome> {
  const child = spawn(process.execPath, [join(root, 'ops/prepare.mjs')], {
    env: { ...process.env, PATH: [join(root, 'bin'), process.env['PATH']].join(delimiter) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const outcome = { code: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (outcome.stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (outcome.stderr += chunk));
  await once(child, 'close');
  return { ...outcome, code: child.exitCode };
}

test('prepares a bare project, and says and does nothing the second time', async () => {
  await inTempFolder(async (folder) => {
    const root = smallProject(folder);
    const first = await runPrepare(root);
    assert.is(first.code, 0, first.stderr);
    assert.is(first.stdout, '');
    assert.match(first.stderr, /^laneway: installing npm packages \(missing;/);
    assert.ok(existsSync(join(root, 'node_modules/tool/package.json')));
    assert.equal(prepare.readTools(root), { redisServer: join(root, 'bin/redis-server') });
    assert.equal(readdirSync(join(root, '.laneway')), ['tools.json']);

    assert.equal(await runPrepare(root), { code: 0, stdout: '', stderr: '' });
  });
});

test('two at once install once', async () => {
  await inTempFolder(async (folder) => {
    const root = smallProject(folder);
    const outcomes = await Promise.all([runPrepare(root), runPrepare(root)]);
    assert.equal(
      outcomes.map(({ code }) => code),
      [0, 0],
    );
    const told = outcomes.map(({ stderr }) => stderr).join('');
    assert.is(told.match(/installing npm packages/g)?.length, 1, told);
  });
});

test('a failed installation shows the output of npm and what to run, and is not taken for a finished one', async () => {
  await inTempFolder(async (folder) => {
    const root = smallProject(folder);
    const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
    write(join(root, 'package-lock.json'), '{ "lockfileVersion": 3, "packages": {} }');
    const failed = await runPrepare(root);
    assert.is(failed.code, 1);
    assert.is(failed.stdout, '');
    assert.match(failed.stderr, /Missing: tool@/);
    assert.ok(failed.stderr.trimEnd().endsWith(`cd ${root} && npm ci`), failed.stderr);
    assert.is.not(prepare.staleness(root), undefined);

    write(join(root, 'package-lock.json'), lock);
    assert.is((await runPrepare(root)).code, 0);
    assert.is(prepare.staleness(root), undefined);
  });
});

test('refuses a Node for npm scripts that is too old, or does not start', async () => {
  await inTempFolder(async (folder) => {
    const root = smallProject(folder);
    await runPrepare(root);
    write(join(root, 'node_modules/.bin/node'), '#!/bin/sh\necho v22.1.0\n', 0o755);
    const outcome = await runPrepare(root);
    assert.is(outcome.code, 1);
    assert.match(outcome.stderr, /would run Node v22\.1\.0 here, .* Install Node 24 or newer/);

    write(join(root, 'node_modules/.bin/node'), '#!/bin/sh\nexit 1\n', 0o755);
    assert.match((await runPrepare(root)).stderr, /would run Node unknown/);
  });
});

test('packages are stale when missing, unfinished, or of another lock file, but not after editing a script', async () => {
  await inTempFolder((root) => {
    write(join(root, 'package.json'), '{ "dependencies": { "a": "1.0.0" }, "scripts": { "x": "1" } }');
    write(join(root, 'package-lock.json'), '{}');
    assert.is(prepare.staleness(root), 'missing');
    mkdirSync(join(root, 'node_modules'));
    assert.is(prepare.staleness(root), 'unfinished');
    prepare.writeStamp(root);
    assert.is(prepare.staleness(root), undefined);

    write(join(root, 'package.json'), '{ "dependencies": { "a": "1.0.0" }, "scripts": { "x": "2" } }');
    assert.is(prepare.staleness(root), undefined);
    write(join(root, 'package.json'), '{ "dependencies": { "a": "1.0.1" } }');
    assert.is(prepare.staleness(root), 'outdated');
    write(join(root, 'package.json'), '{ "dependencies": { "a": "1.0.0" } }');
    write(join(root, 'package-lock.json'), '{ "packages": {} }');
    assert.is(prepare.staleness(root), 'outdated');
  });
});

test('finds the first executable file on PATH, then elsewhere', async () => {
  await inTempFolder((root) => {
    const folder = (name: string) => join(root, name);
    write(folder('a/redis-server'), '', 0o644);
    mkdirSync(folder('b/redis-server'), { recursive: true });
    const valkey = write(folder('c/valkey-server'), '', 0o755);
    const redis = write(folder('d/redis-server'), '', 0o755);
    const path = ['a', 'b', 'c', 'missing'].map(folder).join(delimiter);
    const names = ['redis-server', 'valkey-server'];
    assert.is(prepare.findOnPath(names, path, [folder('d')]), valkey);
    assert.is(prepare.findOnPath(['redis-server'], path, [folder('d')]), redis);
    assert.is(prepare.findOnPath(names, folder('a')), undefined);
  });
});

test('recorded tools count only while the program is there', async () => {
  await inTempFolder((root) => {
    assert.is(prepare.readTools(root), undefined);
    write(join(root, '.laneway/tools.json'), '{ "redisSer');
    assert.is(prepare.readTools(root), undefined);
    write(join(root, '.laneway/tools.json'), JSON.stringify({ redisServer: join(root, 'redis-server') }));
    assert.is(prepare.readTools(root), undefined);
    write(join(root, 'redis-server'), '', 0o755);
    assert.equal(prepare.readTools(root), { redisServer: join(root, 'redis-server') });
  });
});

test('unpacked packages are used with their own libraries', async () => {
  await inTempFolder((root) => {
    assert.is(prepare.unpackedTools(root), undefined);
    const redisServer = write(join(root, 'usr/bin/redis-server'), '', 0o755);
    assert.equal(prepare.unpackedTools(root), { redisServer });
    write(join(root, 'usr/lib/x86_64-linux-gnu/libjemalloc.so.2'), '');
    write(join(root, 'usr/lib/systemd/redis.service'), '');
    assert.equal(prepare.unpackedTools(root), { redisServer, libraryPath: join(root, 'usr/lib/x86_64-linux-gnu') });
  });
});

test('unpacks what is not installed yet, and never the C library or what is only upgraded', () => {
  const plan = `Reading package lists...
Inst libc6 (2.36 Debian:12 [amd64])
Inst libssl3 [3.0.1] (3.0.2 Debian:12 [amd64])
Inst libjemalloc2 (5.3.0-1 Debian:12.15/oldstable [amd64])
Inst redis-server (5:7.0.15-1~deb12u7 Debian:12.15/oldstable [amd64])
Conf redis-server (5:7.0.15-1~deb12u7 Debian:12.15/oldstable [amd64])
`;
  assert.equal(prepare.packagesToUnpack(plan), ['libjemalloc2', 'redis-server']);
});

test('takes Redis and Valkey from 6.2 and tells why others will not do', () => {
  assert.is(prepare.redisProblem('Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64'), undefined);
  assert.is(prepare.redisProblem('Valkey server v=8.1.1 sha=00000000:0'), undefined);
  assert.is(prepare.redisProblem('Redis server v=6.2.0 sha=0'), undefined);
  assert.is(prepare.redisProblem('Redis server v=6.0.16 sha=0'), 'it is version 6.0, and 6.2 or newer is needed');
  assert.is(prepare.redisProblem(''), 'it does not tell its version');
  const message = prepare.redisMissing(['/opt/redis-server was found, but it is version 5.0']);
  assert.match(message, /\/opt\/redis-server was found/);
  assert.match(message, /apt-get install redis-server/);
});

test('tells an old Node what is needed', () => {
  assert.is(prepare.nodeProblem('v24.0.0', 24), undefined);
  assert.is(prepare.nodeProblem('v18.20.1', 18), undefined);
  assert.match(prepare.nodeProblem('v16.1.0', 18) ?? '', /^this is Node v16\.1\.0; Node 18 or newer/);
  assert.match(prepare.nodeProblem('v22.9.0', 24) ?? '', /Install Node 24 or newer/);
});

test('a lock admits one at a time, and passes on after a failure', async () => {
  await inTempFolder(async (folder) => {
    const lock = join(folder, 'lock');
    const order: string[] = [];
    const hold = (name: string) =>
      prepare.withLock(lock, async () => {
        order.push(`${name} in`);
        await Promise.resolve();
        order.push(`${name} out`);
        throw new Error(name);
      });
    await Promise.allSettled([hold('a'), hold('b'), hold('c')]);
    assert.equal(order, ['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
    assert.equal(readdirSync(folder), []);
  });
});

test('the lock of a process that is gone is taken over', async () => {
  await inTempFolder(async (folder) => {
    const gone = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
    await once(gone, 'exit');
    write(join(folder, 'lock/pid'), String(gone.pid));
    assert.is(await prepare.withLock(join(folder, 'lock'), () => Promise.resolve('held')), 'held');
    assert.equal(readdirSync(folder), []);
  });
});

test('the lock of a process that ended and that nobody reaps is taken over', async () => {
  await inTempFolder(async (folder) => {
    // the shell starts a child and becomes `sleep`, which never asks for its exit
    const parent = spawn('sh', ['-c', 'true & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(parent.stdout, 'data');
    const lock = join(folder, 'lock');
    write(join(lock, 'pid'), String(line).trim());
    // a lock that fell silent is taken over too, later: this one never falls silent
    const beat = setInterval(() => existsSync(lock) && utimesSync(lock, new Date(), new Date()), 100);
    assert.is(await prepare.withLock(lock, () => (clearInterval(beat), Promise.resolve('held'))), 'held');
    parent.kill('SIGKILL');
    await once(parent, 'exit');
  });
});

test.run();
