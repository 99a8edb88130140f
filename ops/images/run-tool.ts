import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What is kept of a tool's output at most, in characters: a build says much, and the end is what tells. */
const KEPT = 200_000;
/** For a tool whose output is what it is run for. */
export const ALL = 200_000_000;

export interface ToolResult {
  /** Null when a signal ended it, which the deadline does. */
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Where the first of `names` that is on PATH lies. */
export const findTool = (...names: string[]): string | undefined =>
  names
    .flatMap((name) => (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, name)))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });

export async function tryTool(
  tool: string,
  args: readonly string[],
  timeoutMs: number,
  kept = KEPT,
): Promise<ToolResult> {
  // In a group of its own, so that the deadline also ends what it has started: that would keep the pipes open.
  const child = spawn(tool, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const { pid } = child;
  const deadline = setTimeout(() => pid !== undefined && process.kill(-pid, 'SIGKILL'), timeoutMs);
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (chunk: string) => (output[name] = (output[name] + chunk).slice(-kept)));
  try {
    await once(child, 'close');
  } finally {
    clearTimeout(deadline);
  }
  return { code: child.exitCode, ...output };
}

/** Standard output of a tool. Throws with what it complained about when it fails or takes longer than `timeoutMs`. */
export async function runTool(tool: string, args: readonly string[], timeoutMs: number, kept = KEPT): Promise<string> {
  const { code, stdout, stderr } = await tryTool(tool, args, timeoutMs, kept);
  if (code === 0) return stdout.trim();
  const end = code === null ? `was ended after ${timeoutMs / 1_000} s at most` : `ended with ${code}`;
  throw new Error(
    `${tool} ${args[0] ?? ''} ${end}:\n${`${stdout}\n${stderr}`.trim().split('\n').slice(-30).join('\n')}`,
  );
}
