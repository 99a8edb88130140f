import { join } from 'node:path';
import { readTestFile } from '../test.ts';
import { removeAbandonedStacks, startTestingStack } from '../testing-stack.ts';
import { type ProjectCopy, copyPrefix, copyProject } from './project-copy.ts';
import { isBroken } from './read-report.ts';
import { runTest } from './run-test.ts';
import { type TakeAway, pickOut, takeAway } from './take-away.ts';

export interface Trial {
  readonly takeAway: TakeAway;
  readonly outcome: 'caught' | 'not caught' | 'not run';
  /** What the test said when it failed, or why it was not caught. */
  readonly why: string;
  readonly seconds: number;
}

/**
 * Takes answers away, one at a time, in a copy of the project, and runs the test that is to notice. Caught means that it ran
 * and failed, where it passes with the answer in place. An abort ends it early.
 */
export async function tryTakeAways(
  takeAways: readonly TakeAway[],
  { signal, told }: { signal: AbortSignal; told: (trial: Trial) => void },
): Promise<readonly Trial[]> {
  await removeAbandonedStacks(copyPrefix);
  using copy = copyProject();
  const needServers = takeAways.some(({ test }) => readTestFile(join(copy.root, test)).needsStack);
  const stack = needServers ? await startTestingStack() : { env: {}, stop: () => Promise.resolve() };
  try {
    const trials: Trial[] = [];
    const sound = new Set<string>();
    for (const each of takeAways) {
      if (signal.aborted) break;
      const trial = await tryOne(copy, each, { servers: stack.env, signal, sound });
      trials.push(trial);
      told(trial);
    }
    return trials;
  } finally {
    await stack.stop();
  }
}

interface Base {
  servers: Readonly<Record<string, string>>;
  signal: AbortSignal;
  /** Tests that were seen to pass with everything in place. */
  sound: Set<string>;
}

async function tryOne(copy: ProjectCopy, what: TakeAway, { servers, signal, sound }: Base): Promise<Trial> {
  const startedAt = performance.now();
  const end = (outcome: Trial['outcome'], why: string): Trial => ({
    ...{ takeAway: what, outcome, why },
    seconds: Math.round((performance.now() - startedAt) / 100) / 10,
  });
  const { file, test, expects } = what;
  const options = { root: copy.root, test, signal };
  try {
    using _picked = copy.change(test, (source) => pickOut(source, expects));
    const title = `${test} ${expects}`;
    if (!sound.has(title)) {
      const { passed, problems } = await runTest({ ...options, servers });
      if (!passed) return end('not run', `fails with everything in place: ${problems.join('; ')}`);
      sound.add(title);
    }
    using _taken = copy.change(file, (source) => takeAway(source, what));
    // Databases are made from a template that knows the tables as they are: a change of those takes servers of its own.
    const own = file.startsWith('core/database/migrations/') ? undefined : servers;
    const { passed, failed, problems } = await runTest({ ...options, servers: own });
    const failure = failed.get(expects);
    if (failure === undefined)
      return end('not caught', passed ? 'the test passed' : `the test did not fail, but: ${problems.join('; ')}`);
    const [said = ''] = failure.split('\n', 1);
    return isBroken(failure) ? end('not caught', `what was left cannot run: ${said}`) : end('caught', said);
  } catch (error) {
    return end('not run', error instanceof Error ? error.message : String(error));
  }
}
