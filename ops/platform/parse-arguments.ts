import { parseArgs } from 'node:util';
import { z } from 'zod';
import type { Requester } from '../../core/operations/record-action.ts';

export const usage = `usage: npm run platform -- <command> [options]

  maintenance               windows that are planned or under way
  maintenance plan ID       merchants are told of it; from --from to --to no messages are taken in
    --from, --to TIME       such as 2026-11-28T22:00Z; at most 24 hours
    --reason TEXT           told to merchants
  maintenance end ID        calls a window off, or ends it now
    --by NAME               who commands (default: the user of the system)

  --data DIR                folder of a local system (default .laneway, or the system that LANEWAY_POSTGRES_URL and
                            LANEWAY_REDIS_URL name)
  --json                    JSON on standard output
  --help                    this text
`;

export type PlatformCommand =
  | { kind: 'list' }
  | { kind: 'plan'; windowId: string; startsAt: Date; endsAt: Date; requester: Requester }
  | { kind: 'end'; windowId: string; requester: Requester };

export type ParsedArguments =
  | { kind: 'run'; command: PlatformCommand; json: boolean; dataDir: string | undefined }
  | { kind: 'help' }
  | { kind: 'invalid'; message: string };

const flags = {
  from: { type: 'string' },
  to: { type: 'string' },
  reason: { type: 'string' },
  by: { type: 'string' },
  data: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

class InvalidArgument extends Error {}

/** @param user who is asking, where `--by` does not say */
export function parseArguments(args: readonly string[], user: string): ParsedArguments {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: flags, allowPositionals: true });
    if (values.help) return { kind: 'help' };
    if (values.data === '') throw new InvalidArgument('--data needs a folder');
    return { kind: 'run', command: commandOf(positionals, values, user), json: values.json, dataDir: values.data };
  } catch (error) {
    // What parseArgs throws is a TypeError whose first sentence names the flag.
    if (error instanceof InvalidArgument || error instanceof TypeError)
      return { kind: 'invalid', message: error.message.replace(/\. To specify .*$/s, '') };
    throw error;
  }
}

type Values = Partial<Record<'from' | 'to' | 'reason' | 'by', string | undefined>>;

function commandOf([name = '', action = '', ...words]: string[], values: Values, user: string): PlatformCommand {
  if (name !== 'maintenance')
    throw new InvalidArgument(name === '' ? 'a command is missing' : `there is no command "${name}"`);
  if (action === '') return { kind: 'list' };
  if (action !== 'plan' && action !== 'end') throw new InvalidArgument(`maintenance has no "${action}"`);
  if (words.length !== 1) throw new InvalidArgument(`maintenance ${action} takes the id of a window`);
  const windowId = bounded('the id', words[0] ?? '', 64);
  const requester = {
    by: bounded('--by', values.by ?? user, 500),
    reason: bounded('--reason', values.reason ?? 'not given', 500),
  };
  if (action === 'end') return { kind: 'end', windowId, requester };
  if (values.reason === undefined) throw new InvalidArgument('merchants are told the --reason: give one');
  return {
    kind: 'plan',
    windowId,
    startsAt: timeOf('--from', values.from),
    endsAt: timeOf('--to', values.to),
    requester,
  };
}

/** A time with its zone: whoever reads one without may mean another. */
function timeOf(flag: string, text: string | undefined): Date {
  const parsed = z.iso.datetime({ offset: true, precision: null }).or(z.iso.datetime({ offset: true, precision: -1 }));
  if (text === undefined || !parsed.safeParse(text).success)
    throw new InvalidArgument(`${flag} takes a time with its zone such as 2026-11-28T22:00Z, not "${text ?? ''}"`);
  return new Date(text);
}

function bounded(what: string, text: string, max: number): string {
  if (text === '' || text.length > max || !text.isWellFormed() || text.includes('\0'))
    throw new InvalidArgument(`${what} takes 1 to ${max} characters`);
  return text;
}
