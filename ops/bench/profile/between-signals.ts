import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';

/**
 * Profiles this process from the first SIGUSR2 to the second and writes what V8 saw to `file`: without the start, whose
 * loading of modules would outweigh the work. Nothing happens without a file.
 */
export function profileBetweenSignals(file: string | undefined): void {
  if (file === undefined) return;
  const session = new Session();
  session.connect();
  let started: Promise<void> | undefined;
  const start = async () => {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
  };
  const stop = async (begun: Promise<void>) => {
    await begun;
    const { profile } = await session.post('Profiler.stop');
    writeFileSync(file, JSON.stringify(profile));
  };
  process.on('SIGUSR2', () => {
    if (started === undefined) {
      started = start();
      started.catch((error: unknown) => console.error(error));
    } else stop(started).catch((error: unknown) => console.error(error));
  });
}
