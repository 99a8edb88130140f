import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { delimiter, join, resolve } from 'node:path';
import { startChild, stopPid } from './child-process.ts';
import { freePort } from './free-port.ts';

export interface RedisOptions {
  /** Holds the append-only file and the note about who is running. */
  readonly dir: string;
  /** A free one is taken when it is left out. */
  readonly port?: number;
  readonly maxMemoryMb?: number;
  /** Whether a restart finds its data again (fsync every second). */
  readonly appendOnly?: boolean;
  /** Defaults to `<dir>/redis.log`. */
  readonly logFile?: string;
  readonly onLog?: (line: string) => void;
  readonly onUnexpectedExit?: (reason: string) => void;
}

export interface RunningRedis {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

export async function startRedis(options: RedisOptions): Promise<RunningRedis> {
  const dir = resolve(options.dir);
  const logFile = options.logFile ?? join(dir, 'redis.log');
  mkdirSync(dir, { recursive: true });
  await stopLeftoverRedis(dir, options.onLog ?? (() => {}));
  const { command, libraryPath } = findServer();
  const port = options.port ?? (await freePort());
  const settings = {
    bind: '127.0.0.1',
    'protected-mode': 'yes',
    port: String(port),
    dir,
    daemonize: 'no',
    maxmemory: `${options.maxMemoryMb ?? 512}mb`,
    // BullMQ's keys must never be evicted: a full server has to refuse writes instead.
    'maxmemory-policy': 'noeviction',
    save: '',
    appendonly: options.appendOnly ? 'yes' : 'no',
    appendfsync: 'everysec',
  };
  const server = await startChild({
    name: 'Redis',
    command,
    args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
    ...(libraryPath === undefined ? {} : { env: { LD_LIBRARY_PATH: libraryPath } }),
    cwd: dir,
    logFile,
    ready: async () => (await ask(port, 'PING')) === '+PONG',
    onUnexpectedExit: () => options.onUnexpectedExit?.(`Redis is gone, see ${logFile}`),
  });
  writeFileSync(join(dir, runningFile), JSON.stringify({ pid: server.pid, port }));
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    pid: server.pid,
    stop: async () => {
      await server.stop();
      rmSync(join(dir, runningFile), { force: true });
    },
  };
}

const runningFile = 'running.json';
const toolsFile = join(import.meta.dirname, '../../.laneway/tools.json');

/** What the preparation unpacked for this checkout, else the system's own Redis or Valkey. */
function findServer(): { command: string; libraryPath?: string } {
  if (existsSync(toolsFile)) {
    const tools: unknown = JSON.parse(readFileSync(toolsFile, 'utf8'));
    if (
      typeof tools === 'object' &&
      tools !== null &&
      'redisServer' in tools &&
      typeof tools.redisServer === 'string'
    ) {
      const library = 'libraryPath' in tools && typeof tools.libraryPath === 'string' ? tools.libraryPath : undefined;
      if (existsSync(tools.redisServer)) {
        return { command: tools.redisServer, ...(library === undefined ? {} : { libraryPath: library }) };
      }
    }
  }
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const name of ['redis-server', 'valkey-server']) {
    for (const folder of [...folders, '/usr/sbin', '/usr/local/sbin']) {
      if (existsSync(join(folder, name))) return { command: join(folder, name) };
    }
  }
  throw new Error('there is no redis-server or valkey-server on PATH: install one, or run node ops/prepare.mjs');
}

/**
 * A parent killed with -9 leaves its server running, and two servers on one append-only file ruin it. A server is only
 * stopped when it says itself that it is the process the note names: the id alone may belong to something else by now.
 */
export async function stopLeftoverRedis(dir: string, log: (line: string) => void): Promise<void> {
  const file = join(dir, runningFile);
  if (!existsSync(file)) return;
  const note: unknown = JSON.parse(readFileSync(file, 'utf8'));
  if (typeof note === 'object' && note !== null && 'pid' in note && 'port' in note) {
    const { pid, port } = note;
    if (typeof pid === 'number' && typeof port === 'number' && (await processIdAt(port)) === pid) {
      log(`stopping Redis (${pid}), left running by an earlier run`);
      await stopPid(pid);
    }
  }
  rmSync(file, { force: true });
}

async function processIdAt(port: number): Promise<number | undefined> {
  const info = await ask(port, 'INFO server', /process_id:\d+\r\n/).catch(() => '');
  const pid = /process_id:(\d+)/.exec(info)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

/** One inline command over a bare socket: no client library for a liveness question. */
function ask(port: number, command: string, until = /\r\n$/): Promise<string> {
  return new Promise((resolvePromise, reject) => {
    let answer = '';
    const socket = createConnection({ host: '127.0.0.1', port });
    socket.setTimeout(2_000, () => socket.destroy(new Error('no answer')));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed without an answer')));
    socket.once('connect', () => socket.write(`${command}\r\n`));
    socket.on('data', (chunk) => {
      answer += chunk.toString('utf8');
      if (!until.test(answer)) return;
      resolvePromise(answer.trim());
      socket.destroy();
    });
  });
}
