import { parseArgs } from 'node:util';
import { dataClasses, type DataClass } from '../../core/contexts/retention/policies.ts';
import type { Requester } from '../../core/operations/record-action.ts';
import { InvalidArgument, boundedText, dataFolder, readArguments, refuseOtherOptions } from '../arguments.ts';

export const usage = `usage: npm run retention -- <command> [options]

  plan                      what the next night would archive and purge, and what holds keep; changes nothing
  runs                      what became of each month so far
  holds                     legal holds that are in force
  hold CLASS ID             keeps a class whatever its policy says, from now on
  release ID                ends a hold
    --reason TEXT           recorded with the command; a hold needs one
    --by NAME               who commands (default: the user of the system)

  CLASS is one of ${dataClasses.slice(0, 5).join(', ')},
  ${dataClasses.slice(5).join(', ')}

  --data DIR                folder of a local system (default .laneway, or the system that LANEWAY_POSTGRES_URL and
                            LANEWAY_REDIS_URL name)
  --json                    JSON on standard output
  --help                    this text
`;

export type RetentionCommand =
  | { kind: 'plan' }
  | { kind: 'runs' }
  | { kind: 'holds' }
  | { kind: 'hold'; dataClass: DataClass; holdId: string; requester: Requester }
  | { kind: 'release'; holdId: string; requester: Requester };

export type ParsedArguments =
  | { kind: 'run'; command: RetentionCommand; json: boolean; dataDir: string | undefined }
  | { kind: 'help' }
  | { kind: 'invalid'; message: string };

const flags = {
  reason: { type: 'string' },
  by: { type: 'string' },
  data: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const recorded = ['reason', 'by'];
const taken = { plan: [], runs: [], holds: [], hold: recorded, release: recorded };

/** @param user who is asking, where `--by` does not say */
export function parseArguments(args: readonly string[], user: string): ParsedArguments {
  return readArguments<ParsedArguments>(() => {
    const { values, positionals } = parseArgs({ args: [...args], options: flags, allowPositionals: true });
    if (values.help) return { kind: 'help' };
    const { json, data, help: _, ...rest } = values;
    return { kind: 'run', command: commandOf(positionals, rest, user), json, dataDir: dataFolder(data) };
  });
}

function commandOf(
  [name = '', ...words]: string[],
  values: { by?: string | undefined; reason?: string | undefined },
  user: string,
): RetentionCommand {
  refuseOtherOptions(name, values, taken);
  const { by, reason } = values;
  const requester = { by: boundedText('--by', by ?? user), reason: boundedText('--reason', reason ?? 'not given') };
  switch (name) {
    case 'plan':
    case 'runs':
    case 'holds':
      takes(name, words, []);
      return { kind: name };
    case 'hold': {
      takes(name, words, ['a class', 'an id']);
      if (reason === undefined) throw new InvalidArgument('a hold needs a --reason');
      const dataClass = dataClasses.find((each) => each === words[0]);
      if (dataClass === undefined)
        throw new InvalidArgument(`there is no class "${words[0] ?? ''}": ${dataClasses.join(', ')}`);
      return { kind: 'hold', dataClass, holdId: boundedText('the id', words[1] ?? ''), requester };
    }
    case 'release':
      takes(name, words, ['the id of a hold']);
      return { kind: 'release', holdId: boundedText('the id', words[0] ?? ''), requester };
    default:
      throw new InvalidArgument(name === '' ? 'a command is missing' : `there is no command "${name}"`);
  }
}

function takes(command: string, words: readonly string[], what: readonly string[]): void {
  if (words.length === what.length) return;
  throw new InvalidArgument(`${command} takes ${what.length === 0 ? 'nothing more' : what.join(' and ')}`);
}
