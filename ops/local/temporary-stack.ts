import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareDataFolder } from './data-folder.ts';
import { recordProcesses } from './leftovers.ts';
import type { Progress } from './progress.ts';
import { type RunningStack, type StackVariant, startStack } from './stack.ts';
import { createTeardown } from './teardown.ts';

export interface TemporaryStack extends AsyncDisposable {
  stack: RunningStack;
}

/** A stack in a folder of its own below the system's temporary one, on ports of its own: gone when it is disposed of. */
export async function startTemporaryStack(options: {
  workers: number;
  progress: Progress;
  variant?: StackVariant;
}): Promise<TemporaryStack> {
  const { workers, progress, variant } = options;
  const dataDir = mkdtempSync(join(tmpdir(), 'laneway-temporary-'));
  // Made 0700, which the user that PostgreSQL runs as could not enter.
  chmodSync(dataDir, 0o755);
  prepareDataFolder(dataDir);
  const teardown = createTeardown(() => undefined);
  teardown.add(undefined, () => rmSync(dataDir, { recursive: true, force: true }));
  try {
    const stack = await startStack({
      dataDir,
      stackFiles: [],
      workers,
      gatewayPort: undefined,
      opsPort: undefined,
      usualPorts: false,
      record: recordProcesses(dataDir),
      progress,
      teardown,
      log: progress.note,
      signal: new AbortController().signal,
      ...(variant === undefined ? {} : { variant }),
    });
    return { stack, [Symbol.asyncDispose]: () => teardown.run() };
  } catch (error) {
    await teardown.run();
    throw error;
  }
}
