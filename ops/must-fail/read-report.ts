/** What the test runner says of a run in which a test was picked out. */
export interface Report {
  /** Every file ran, and all that was picked out passed. */
  readonly passed: boolean;
  /** By title, what tests said that ran and failed. A file that does not load has none. */
  readonly failed: ReadonlyMap<string, string>;
  /** What the runner objects to. */
  readonly problems: readonly string[];
}

/** The runner puts this before each line of a failing file's output. */
const QUOTED = '     | ';
/** It objects to tests that are picked out, which a commit must not contain, and to those that are left out for them. */
const PICKED_OUT = /^(test\.only\(…\) is left in|\d+ skipped)$/;

/** @param output of `node ops/test.ts --tail …`, with room for all that a file prints */
export function readReport(output: string): Report {
  const failed = new Map<string, string>();
  const problems: string[] = [];
  let ran = 0;
  let title: string | undefined;
  for (const line of output.split('\n')) {
    if (line.startsWith(QUOTED)) {
      const text = line.slice(QUOTED.length);
      const found = /^ {3}FAIL {2}"(.*)"$/.exec(text)?.[1];
      if (found !== undefined) failed.set((title = found), '');
      else if (/^ {2}Total: /.test(text)) title = undefined;
      else if (title !== undefined) failed.set(title, `${failed.get(title) ?? ''}${text.trim()}\n`);
      continue;
    }
    const [, total] = /^(?:ok {2}|FAIL) \S+ {2}\d+\/(\d+) {2}/.exec(line) ?? [];
    if (total !== undefined) ran += Number(total);
    else if (/^FAIL |^ {5}\S/.test(line) && !PICKED_OUT.test(line.trim())) problems.push(line.trim());
  }
  return { passed: ran > 0 && problems.length === 0 && failed.size === 0, failed, problems };
}

/**
 * Whether a failure is of a program, or a statement of SQL, that cannot run at all: then the change did not take an answer
 * away, it broke the file.
 */
export const isBroken = (failure: string): boolean =>
  /\b(ReferenceError|SyntaxError)\b|is not a function|is not defined|is not iterable|Cannot (read|set) propert|syntax error at or near|column \S+ does not exist|operator does not exist|could not determine data type/.test(
    failure,
  );
