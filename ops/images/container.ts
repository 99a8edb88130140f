import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runTool, tryTool } from './run-tool.ts';

/** How Fargate runs ours, as far as podman can: nothing to write on, no capabilities, no new ones, the image's user. */
const confined = [
  ...['--runtime', 'runc', '--network', 'host'],
  ...['--read-only', '--read-only-tmpfs=false', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
  // Its own timers need systemd; what the image asks itself is run by hand instead.
  ...['--no-healthcheck', '--ulimit', 'nofile=4096:4096', '--ulimit', 'nproc=4096:4096'],
];
/** Its usual manager of control groups asks systemd, which build servers do not have. */
const withoutSystemd = ['--cgroup-manager', 'cgroupfs'];
const QUICKLY_MS = 60_000;

export interface Ended {
  code: number | null;
  seconds: number;
  log: string;
}

export interface Container extends AsyncDisposable {
  /** Runs a command inside; its exit code and what it printed. */
  exec(...command: string[]): ReturnType<typeof tryTool>;
  log(): Promise<string>;
  /** SIGTERM, and what came of it within `deadlineMs`. */
  terminate(deadlineMs: number): Promise<Ended>;
  /** Until it ends by itself. */
  ended(deadlineMs: number): Promise<Ended>;
}

/** Starts a container that is gone, whatever happens, when it is disposed of. */
export async function startContainer(
  image: string,
  environment: Readonly<Record<string, string>>,
  command: readonly string[] = [],
): Promise<Container> {
  const folder = mkdtempSync(join(tmpdir(), 'laneway-container-'));
  const file = join(folder, 'environment');
  // Secrets in arguments could be read by everybody on the machine.
  writeFileSync(
    file,
    Object.entries(environment)
      .map((pair) => `${pair.join('=')}\n`)
      .join(''),
    { mode: 0o600 },
  );
  let id: string;
  try {
    id = await runTool(
      'podman',
      [...withoutSystemd, 'run', '--detach', ...confined, '--env-file', file, image, ...command],
      QUICKLY_MS,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const log = async () => {
    const { stdout, stderr } = await tryTool('podman', ['logs', id], QUICKLY_MS);
    return `${stdout}\n${stderr}`.trim();
  };
  const ended = async (deadlineMs: number): Promise<Ended> => {
    const startedAt = performance.now();
    const { stdout } = await tryTool('podman', ['wait', id], deadlineMs);
    const code = /^\d+$/.test(stdout.trim()) ? Number(stdout) : null;
    return { code, seconds: Math.round((performance.now() - startedAt) / 100) / 10, log: await log() };
  };
  return {
    exec: (...inside) => tryTool('podman', ['exec', id, ...inside], QUICKLY_MS),
    log,
    ended,
    async terminate(deadlineMs) {
      await runTool('podman', ['kill', '--signal', 'TERM', id], QUICKLY_MS);
      return await ended(deadlineMs);
    },
    async [Symbol.asyncDispose]() {
      await tryTool('podman', ['rm', '--force', '--time', '0', id], QUICKLY_MS);
    },
  };
}
