import { chmodSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/**
 * Replaces a file as a whole: whoever reads it sees the old content or the new, never half of one, and nobody but its owner
 * reads it at all, not even between its creation and its permission.
 */
export function writePrivateJson(file: string, value: unknown): void {
  const draft = `${file}.${process.pid}.draft`;
  try {
    writeFileSync(draft, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600, flag: 'w' });
    // A draft left by a killed run keeps its own mode.
    chmodSync(draft, 0o600);
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}
