import { findTest } from '../read-hazards.ts';

interface Edit {
  /** Stands exactly once in the file. */
  readonly from: string;
  readonly to: string;
}

/** A change of one file that takes a hazard's answer away, and the test that must fail of it. */
export interface TakeAway extends Edit {
  /** As docs/hazards.md numbers it. */
  readonly hazard: string;
  /** What is taken away, in words. */
  readonly takes: string;
  /** Relative to the root, as is the test. */
  readonly file: string;
  /** Where the answer stands in a second place that would do without the first. */
  readonly also?: Edit;
  readonly test: string;
  /** The title of the test in that file that must fail. */
  readonly expects: string;
}

/** Why a hazard has nothing to take away. */
export interface Exception {
  readonly hazard: string;
  readonly reason: string;
}

/** The source without the answer. Throws where it does not stand there exactly once. */
export const takeAway = (source: string, { from, to, also }: TakeAway): string =>
  [{ from, to }, ...(also === undefined ? [] : [also])].reduce(replaceOnce, source);

function replaceOnce(source: string, { from, to }: Edit): string {
  const parts = source.split(from);
  if (from === '' || parts.length !== 2)
    throw new Error(`what is to be taken away stands ${parts.length - 1} times in its file, not once: ${from}`);
  return parts.join(to);
}

/** The test file with one test picked out. Throws where it has none of that title. */
export function pickOut(source: string, title: string): string {
  const beginning = findTest(source, title);
  if (beginning === undefined) throw new Error(`there is no test “${title}”`);
  return source.replace(beginning, () => beginning.replace('test(', 'test.only('));
}
