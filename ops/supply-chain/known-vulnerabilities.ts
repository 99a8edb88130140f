import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { z } from 'zod';

/** `unasked`: whoever serves packages did not say, which is not the same as nothing being known. */
export type Vulnerabilities =
  { kind: 'none' } | { kind: 'known'; vulnerabilities: string[] } | { kind: 'unasked'; reason: string };

const DEADLINE_MS = 60_000;

const report = z.object({
  vulnerabilities: z.record(z.string(), z.object({ severity: z.string(), range: z.string() })),
});
const refusal = z.object({ message: z.string().optional(), error: z.object({ summary: z.string() }).optional() });

/** What `npm audit --omit=dev --json` printed, understood. Its exit code says too little: 1 is "known" as well as "unasked". */
export function readAudit(printed: string): Vulnerabilities {
  let answer: unknown;
  try {
    answer = JSON.parse(printed);
  } catch {
    return { kind: 'unasked', reason: printed.trim().slice(0, 500) || 'npm printed nothing' };
  }
  const read = report.safeParse(answer);
  if (!read.success) {
    const { message, error } = refusal.catch({}).parse(answer);
    return { kind: 'unasked', reason: message ?? error?.summary ?? 'npm answered something else than a report' };
  }
  const vulnerabilities = Object.entries(read.data.vulnerabilities).map(
    ([name, { severity, range }]) => `${name} ${range}: ${severity}`,
  );
  return vulnerabilities.length === 0 ? { kind: 'none' } : { kind: 'known', vulnerabilities };
}

/** Asks the registry that npm is set up for, about what the lock file puts into images. */
export async function askForVulnerabilities(folder: string): Promise<Vulnerabilities> {
  const child = spawn('npm', ['audit', '--omit=dev', '--json'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: DEADLINE_MS,
    killSignal: 'SIGKILL',
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (printed += chunk));
  try {
    await once(child, 'close');
  } catch (error) {
    return { kind: 'unasked', reason: `npm cannot be run: ${error instanceof Error ? error.message : String(error)}` };
  }
  return child.signalCode === null
    ? readAudit(printed)
    : { kind: 'unasked', reason: `npm did not answer within ${DEADLINE_MS / 1_000} s` };
}
