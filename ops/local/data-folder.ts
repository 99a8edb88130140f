import { accessSync, chmodSync, constants, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Everything that a run keeps below its data folder. What else lies there (the unpacked Redis, its note) is not ours. */
export const dataPaths = (dataDir: string) => ({
  postgres: join(dataDir, 'postgres'),
  redis: join(dataDir, 'redis-data'),
  dynamo: join(dataDir, 'dynamo'),
  networks: join(dataDir, 'networks'),
  emulatorState: join(dataDir, 'emulator.json'),
  objects: join(dataDir, 'emulator.json.s3'),
  logs: join(dataDir, 'logs'),
  secrets: join(dataDir, 'secrets.json'),
  ports: join(dataDir, 'ports.json'),
  stack: join(dataDir, 'stack.json'),
});

/** Makes the folder, or says in one sentence why it cannot be used. */
export function prepareDataFolder(dataDir: string): void {
  try {
    const made = mkdirSync(dataDir, { recursive: true });
    // As root, PostgreSQL runs as a user of its own, who must be able to walk through.
    if (made !== undefined) chmodSync(dataDir, 0o755);
    if (!statSync(dataDir).isDirectory()) throw new Error('it is not a folder');
    accessSync(dataDir, constants.W_OK);
    // A read-only file system lets root pass the question above.
    const probe = join(dataDir, `.probe-${process.pid}`);
    writeFileSync(probe, '');
    rmSync(probe);
  } catch (cause) {
    throw new Error(
      `data cannot be kept in ${dataDir}: make it writable for you, or choose another folder with --data`,
      { cause },
    );
  }
}

/** Deletes what earlier runs kept. Nothing may be running on it. */
export function startOver(dataDir: string): void {
  for (const path of Object.values(dataPaths(dataDir))) rmSync(path, { recursive: true, force: true });
  for (const part of ['postgres.unfinished', 'postgres.log', 'emulator.json.draft'])
    rmSync(join(dataDir, part), { recursive: true, force: true });
}

export const projectRoot = dirname(dirname(import.meta.dirname));

/** Where Node keeps compiled and type-stripped modules, so that a process started again starts in two thirds of the time. */
export const compileCacheDir = join(projectRoot, '.laneway', 'compile-cache');
