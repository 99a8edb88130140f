/** What the test runner says of a run, and whether a test failed of what it claims or of a program that is broken. */
export interface Report {
  readonly passed: boolean;
  /** Titles of tests that ran and failed. A file that does not load has none. */
  readonly failed: ReadonlyMap<string, string>;
  /** Where nothing failed by name: what the runner objects to. */
  readonly problems: readonly string[];
}

/** The runner puts this before each line of a failing file's output. */
const QUOTED = '     | ';

/** @param output of `node ops/test.ts --tail …`, with room for all that a file prints */
export function readReport(output: string): Report {
  const lines = output.split('\n');
  const failed = new Map<string, string>();
  let title: string | undefined;
  for (const line of lines) {
    if (!line.startsWith(QUOTED)) {
      title = undefined;
      continue;
    }
    const text = line.slice(QUOTED.length);
    const found = /^ {3}FAIL {2}"(.*)"$/.exec(text)?.[1];
    if (found !== undefined) failed.set((title = found), '');
    else if (/^ {2}Total: /.test(text)) title = undefined;
    else if (title !== undefined) failed.set(title, `${failed.get(title) ?? ''}${text.trim()}\n`);
  }
  const problems = lines.filter((line) => /^FAIL |^ {5}(?!\|)\S/.test(line)).map((line) => line.trim());
  return { passed: lines.findLast((line) => line !== '')?.endsWith(' passed, 0 failed') === true, failed, problems };
}

/**
 * Whether a failure is of a program, or a statement of SQL, that cannot run at all: then the change did not take an answer
 * away, it broke the file.
 */
export const isBroken = (failure: string): boolean =>
  /\b(ReferenceError|SyntaxError)\b|is not a function|is not defined|is not iterable|Cannot (read|set) propert|syntax error at or near|column \S+ does not exist|operator does not exist|could not determine data type/.test(
    failure,
  );
