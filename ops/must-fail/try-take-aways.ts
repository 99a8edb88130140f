import { join } from 'node:path';
import { readTestFile } from '../test.ts';
import { removeAbandonedStacks, startTestingStack } from '../testing-stack.ts';
import { type ProjectCopy, copyPrefix, copyProject } from './project-copy.ts';
import { type Report, isBroken } from './read-report.ts';
import { runTests } from './run-tests.ts';
import type { TakeAway } from './take-away.ts';

export interface Trial {
  readonly takeAway: TakeAway;
  readonly outcome: 'caught' | 'not caught' | 'not run';
  /** In words; empty where it was caught. */
  readonly why: string;
  /** Titles of all tests that failed. */
  readonly failed: readonly string[];
  readonly seconds: number;
}

/**
 * Takes answers away, one at a time, in a copy of the project, and runs the tests that are to notice. Caught means that the
 * named test ran and failed, where it passes with the answer in place.
 */
export async function tryTakeAways(
  takeAways: readonly TakeAway[],
  { signal, told }: { signal: AbortSignal; told: (trial: Trial) => void },
): Promise<readonly Trial[]> {
  await removeAbandonedStacks(copyPrefix);
  using copy = copyProject();
  const needServers = takeAways.some(({ tests }) =>
    tests.some((test) => readTestFile(join(copy.root, test)).needsStack),
  );
  const stack = needServers ? await startTestingStack() : { env: {}, stop: () => Promise.resolve() };
  try {
    const trials: Trial[] = [];
    const sound = new Map<string, Promise<Report>>();
    for (const each of takeAways) {
      const trial = await tryOne(copy, each, { servers: stack.env, signal }, sound);
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
}

async function tryOne(
  copy: ProjectCopy,
  what: TakeAway,
  { servers, signal }: Base,
  sound: Map<string, Promise<Report>>,
): Promise<Trial> {
  const startedAt = performance.now();
  const end = (outcome: Trial['outcome'], why: string, failed: Iterable<string> = []): Trial => ({
    ...{ takeAway: what, outcome, why, failed: [...failed] },
    seconds: Math.round((performance.now() - startedAt) / 100) / 10,
  });
  const { root } = copy;
  const { tests } = what;
  try {
    const name = tests.join(' ');
    const before = sound.get(name) ?? runTests({ root, tests, servers, signal });
    sound.set(name, before);
    const asItIs = await before;
    if (!asItIs.passed)
      return end('not run', `fails with the answer in place: ${asItIs.problems.join('; ')}`, asItIs.failed.keys());
    using _ = copy.without(what);
    // Databases are made from a template that knows the tables as they are: a change of those takes servers of its own.
    const own = what.file.startsWith('core/database/migrations/') ? undefined : servers;
    return judge(what, await runTests({ root, tests, servers: own, signal }), end);
  } catch (error) {
    return end('not run', error instanceof Error ? error.message : String(error));
  }
}

function judge(
  { expects }: TakeAway,
  { passed, failed, problems }: Report,
  end: (outcome: Trial['outcome'], why: string, failed: Iterable<string>) => Trial,
): Trial {
  const failure = failed.get(expects);
  if (failure === undefined) {
    const why = passed ? 'every test passed' : `the test did not fail, but: ${problems.join('; ')}`;
    return end('not caught', why, failed.keys());
  }
  if (isBroken(failure))
    return end('not caught', `what was left cannot run: ${failure.split('\n', 1)[0]}`, failed.keys());
  return end('caught', '', failed.keys());
}
