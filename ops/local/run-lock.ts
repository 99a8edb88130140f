import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { commandLineOf } from './child-process.ts';

/**
 * One run per data folder: two servers on one folder ruin it. A lock whose process is gone, or whose id now belongs to
 * something else, is left over from a killed run and taken.
 */
export interface RunLock {
  release(): void;
}

const schema = z.object({ pid: z.int(), commandLine: z.string(), startedAt: z.iso.datetime() });

export function takeRunLock(dataDir: string): RunLock {
  const file = join(dataDir, 'run.lock');
  const own = { pid: process.pid, commandLine: commandLineOf(process.pid), startedAt: new Date().toISOString() };
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      writeFileSync(file, JSON.stringify(own), { flag: 'wx', mode: 0o600 });
      return { release: () => rmSync(file, { force: true }) };
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      const holder = holderOf(file);
      if (holder !== undefined)
        throw new Error(
          `Laneway is already running on ${dataDir}: process ${holder.pid}, since ${holder.startedAt}.\n` +
            `Stop it with Ctrl-C where it runs, or with: kill ${holder.pid}\n` +
            `To run another one beside it: npm start -- --data <another folder>`,
          { cause: error },
        );
      rmSync(file, { force: true });
    }
  }
  throw new Error(`${file} comes back as often as it is removed: is another start under way?`);
}

/** Whether a run is using the folder now. */
export const isLocked = (dataDir: string): boolean => holderOf(join(dataDir, 'run.lock')) !== undefined;

function holderOf(file: string): z.infer<typeof schema> | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const holder = schema.parse(JSON.parse(readFileSync(file, 'utf8')));
    return commandLineOf(holder.pid) === holder.commandLine ? holder : undefined;
  } catch {
    // Cut short by a full disk or a power loss: it names nobody.
    return undefined;
  }
}
