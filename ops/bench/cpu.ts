import { readFileSync } from 'node:fs';

/** Linux counts in hundredths of a second, whatever its timer is. */
const ticksPerSecond = 100;

export interface ProcessTimes {
  /** User and system time of the process itself. */
  own: number;
  /** Of children that have ended and were waited for. */
  reaped: number;
}

/** Of one line of `/proc/<pid>/stat`, in seconds. The command in brackets may hold anything, spaces and brackets too. */
export function parseStat(stat: string): ProcessTimes {
  const fields = stat
    .replace(/^.*\) /s, '')
    .split(' ')
    .map(Number);
  const [utime = 0, stime = 0, cutime = 0, cstime = 0] = fields.slice(11, 15);
  return { own: (utime + stime) / ticksPerSecond, reaped: (cutime + cstime) / ticksPerSecond };
}

/**
 * CPU seconds that a process has used since it began, its threads included. Throws when there is no such process, or no
 * /proc to ask.
 */
export function cpuSeconds(pid: number): number {
  return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8')).own;
}

/** Of a server that works in child processes, those that have ended included. */
export function treeCpuSeconds(pid: number): number {
  const { own, reaped } = parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  return own + reaped + children.reduce((sum, child) => sum + secondsIfAlive(Number(child)), 0);
}

function secondsIfAlive(pid: number): number {
  try {
    return cpuSeconds(pid);
  } catch {
    // It ended since the list was read; its parent will count it.
    return 0;
  }
}
