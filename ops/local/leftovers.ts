import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { commandLineOf, stopPid } from './child-process.ts';
import { writePrivateJson } from './private-file.ts';

/**
 * `pids.json`: what this run has started, so that the next one can end what a `kill -9` of this one left behind. An id by
 * itself proves nothing, the system hands them out again: the command line must be the recorded one, too.
 */
export interface ProcessRecord {
  add: (name: string, pid: number) => void;
  drop: (pid: number) => void;
  clear(): void;
  /** Ends all of them at once, without asking. */
  killAll(): void;
}

const schema = z.array(z.object({ name: z.string(), pid: z.int(), commandLine: z.string() }));
const fileOf = (dataDir: string): string => join(dataDir, 'pids.json');

export function recordProcesses(dataDir: string): ProcessRecord {
  const running = new Map<number, z.infer<typeof schema>[number]>();
  const save = () => writePrivateJson(fileOf(dataDir), [...running.values()]);
  return {
    add(name, pid) {
      running.set(pid, { name, pid, commandLine: commandLineOf(pid) });
      save();
    },
    drop(pid) {
      if (running.delete(pid)) save();
    },
    clear() {
      running.clear();
      rmSync(fileOf(dataDir), { force: true });
    },
    killAll() {
      for (const pid of running.keys()) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It ended by itself.
        }
      }
    },
  };
}

/** Ends what the record of an earlier run names and what is still that. Newest first: servers after their users. */
export async function stopLeftovers(dataDir: string, log: (line: string) => void): Promise<void> {
  for (const { name, pid, commandLine } of readRecord(fileOf(dataDir)).toReversed()) {
    if (commandLine === '' || commandLineOf(pid) !== commandLine) continue;
    log(`stopping ${name} (${pid}), left running by an earlier run`);
    // SIGINT is PostgreSQL's fast shutdown; its SIGTERM waits for clients that may never leave.
    await stopPid(pid, name.startsWith('PostgreSQL') ? 'SIGINT' : 'SIGTERM', 5_000);
  }
  rmSync(fileOf(dataDir), { force: true });
}

function readRecord(file: string): z.infer<typeof schema> {
  if (!existsSync(file)) return [];
  const parsed = schema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  return parsed.success ? parsed.data : [];
}
