import { z } from 'zod';

/** What a command was given cannot be meant: says which argument, and what it takes instead. */
export class InvalidArgument extends Error {}

/**
 * Runs what reads a command's arguments, with `parseArgs` of Node or by itself, and turns what it objects to into an answer.
 * Anything else that it throws is a defect.
 */
export function readArguments<T>(read: () => T): T | { kind: 'invalid'; message: string } {
  try {
    return read();
  } catch (error) {
    if (error instanceof InvalidArgument) return { kind: 'invalid', message: error.message };
    if (error instanceof TypeError) return { kind: 'invalid', message: complaintOf(error.message) };
    throw error;
  }
}

/** What parseArgs says, whose first sentence names the flag: its advice for a value such as -5 would be taken for -5's. */
const complaintOf = (message: string): string =>
  message
    .replace(/\.?\s+(Did you forget|To specify)[^]*$/, '')
    .replace(/argument is ambiguous$/, 'takes a value that does not begin with "-"');

/** Says how a command is used, and what was wrong where that was not asked for. Returns the exit code. */
export function sayUsage(why: { kind: 'help' } | { kind: 'invalid'; message: string }, usage: string): number {
  if (why.kind === 'help') {
    process.stdout.write(usage);
    return 0;
  }
  process.stderr.write(`${why.message}\n\n${usage}`);
  return 2;
}

/** What a command line has of options: undefined or false where one was not given. */
type Given = Readonly<Record<string, string | boolean | undefined>>;

/**
 * Throws InvalidArgument for an option that was given and that the command does not take, as `taken` lists them: ignored, it
 * would promise what is not done. What all commands take is left out of `given`; a command that `taken` lacks is let pass.
 */
export function refuseOtherOptions(command: string, given: Given, taken: Readonly<Record<string, readonly string[]>>) {
  if (!Object.hasOwn(taken, command)) return;
  const takes = taken[command] ?? [];
  const other = Object.keys(given).find((name) => (given[name] ?? false) !== false && !takes.includes(name));
  if (other === undefined) return;
  const instead = takes.length === 0 ? 'it has no options of its own' : `it takes ${takes.map(flagOf).join(', ')}`;
  throw new InvalidArgument(`${command} takes no --${other}: ${instead}`);
}

const flagOf = (name: string): string => `--${name}`;

/** Throws InvalidArgument unless it is a whole number in these bounds. */
export function wholeNumber(what: string, text: string, min: number, max: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max))
    throw new InvalidArgument(`${what} takes a whole number from ${min} to ${max}, not "${text}"`);
  return value;
}

/** The same for numbers with decimals. `or` names what else it takes. */
export function decimalNumber(what: string, text: string, min: number, max: number, or = ''): number {
  const value = text.length <= 12 && /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max))
    throw new InvalidArgument(`${what} takes a number from ${min} to ${max}${or}, not "${text}"`);
  return value;
}

/** Text that is stored and shown again. */
export function boundedText(what: string, text: string): string {
  if (text === '' || text.length > 500 || !text.isWellFormed() || text.includes('\0'))
    throw new InvalidArgument(`${what} takes 1 to 500 characters`);
  return text;
}

const instant = z.iso.datetime({ offset: true, precision: null }).or(z.iso.datetime({ offset: true, precision: -1 }));
const dayOrInstant = z.iso.date().or(instant);

/** A time with its zone, since whoever reads one without may mean another; or a day, which is its beginning in UTC. */
export function timeOf(what: string, text: string): Date {
  if (!dayOrInstant.safeParse(text).success)
    throw new InvalidArgument(`${what} takes a day, or a time with its zone such as 2026-11-28T22:00Z, not "${text}"`);
  return new Date(text);
}

/** The value of `--data`: undefined where it was not given. */
export function dataFolder(text: string | undefined): string | undefined {
  if (text === '') throw new InvalidArgument('--data needs a folder');
  return text;
}
