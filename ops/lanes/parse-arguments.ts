import { parseArgs } from 'node:util';
import {
  InvalidArgument,
  boundedText,
  dataFolder,
  decimalNumber,
  readArguments,
  refuseOtherOptions,
  wholeNumber,
} from '../arguments.ts';
import { merchantId as merchantIdSchema } from '../../core/events/envelope.ts';
import type { Requester } from '../../core/operations/record-action.ts';
import type { Verdict } from '../../core/operations/lane-commands.ts';
import { type LaneFilter, type LaneQuery, isToken, laneFilters } from './read-lanes.ts';

export const usage = `usage: npm run lanes -- <command> [options]

  list                      lanes, a page at a time
    --state STATE           blocked, paused, draining, behind or waiting (has something due)
    --merchant PREFIX       merchants whose id starts so
    --limit N               lanes a page, 1 to 1000 (default 50)
    --after TOKEN           where the last page ended
  show M                    everything known of one lane
  explain M                 the one reason why a lane is where it is

  pause M                   works nothing until it is resumed
  resume M
  drain M                   works what is accepted now, then pauses
  unblock M                 tries the event again that blocked it
    --skip, --dead-letter   lets the lane pass it instead
  rebuild M                 shows in Redis again what Postgres has, and wakes the lane
  weight M N                quanta per turn, 1 to 20
  rate M N|none             events per second
    --reason TEXT           recorded with the command
    --by NAME               who commands (default: the user of the system)

  --data DIR                folder of a local system (default .laneway, or the system that LANEWAY_POSTGRES_URL and
                            LANEWAY_REDIS_URL name)
  --json                    JSON on standard output
  --help                    this text
`;

interface ToLane {
  merchantId: string;
  requester: Requester;
}

export type LanesCommand =
  | { kind: 'list'; query: LaneQuery }
  | { kind: 'show'; merchantId: string }
  | { kind: 'explain'; merchantId: string }
  | (ToLane & { kind: 'pause' })
  | (ToLane & { kind: 'resume' })
  | (ToLane & { kind: 'drain' })
  | (ToLane & { kind: 'rebuild' })
  | (ToLane & { kind: 'unblock'; verdict: Verdict })
  | (ToLane & { kind: 'weight'; weight: number })
  | (ToLane & { kind: 'rate'; ratePerSecond: number | null });

export type ParsedArguments =
  | { kind: 'run'; command: LanesCommand; json: boolean; dataDir: string | undefined }
  | { kind: 'help' }
  | { kind: 'invalid'; message: string };

const flags = {
  state: { type: 'string' },
  merchant: { type: 'string' },
  limit: { type: 'string' },
  after: { type: 'string' },
  skip: { type: 'boolean', default: false },
  'dead-letter': { type: 'boolean', default: false },
  reason: { type: 'string' },
  by: { type: 'string' },
  data: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const recorded = ['reason', 'by'];
const taken = {
  list: ['state', 'merchant', 'limit', 'after'],
  show: [],
  explain: [],
  pause: recorded,
  resume: recorded,
  drain: recorded,
  rebuild: recorded,
  unblock: ['skip', 'dead-letter', ...recorded],
  weight: recorded,
  rate: recorded,
};

/** @param user who is asking, where `--by` does not say */
export function parseArguments(args: readonly string[], user: string): ParsedArguments {
  return readArguments((): ParsedArguments => {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: flags,
      strict: true,
      allowPositionals: true,
    });
    if (values.help) return { kind: 'help' };
    const { json, data, help: _, ...rest } = values;
    const dataDir = dataFolder(data);
    return { kind: 'run', command: commandOf(positionals, rest, user), json, dataDir };
  });
}

type Values = {
  state?: string | undefined;
  merchant?: string | undefined;
  limit?: string | undefined;
  after?: string | undefined;
  skip: boolean;
  'dead-letter': boolean;
  reason?: string | undefined;
  by?: string | undefined;
};

function commandOf([name = '', ...words]: string[], values: Values, user: string): LanesCommand {
  refuseOtherOptions(name, values, taken);
  const requester = {
    by: boundedText('--by', values.by ?? user),
    reason: boundedText('--reason', values.reason ?? 'not given'),
  };
  const lane = (count = 1) => ({ merchantId: merchantOf(name, words, count) });
  switch (name) {
    case 'list':
      if (words.length > 0) throw new InvalidArgument(`list takes no "${words[0] ?? ''}"; --merchant takes a prefix`);
      return { kind: 'list', query: queryOf(values) };
    case 'show':
    case 'explain':
      return { kind: name, ...lane() };
    case 'pause':
    case 'resume':
    case 'drain':
    case 'rebuild':
      return { kind: name, ...lane(), requester };
    case 'unblock':
      return { kind: name, ...lane(), requester, verdict: verdictOf(values) };
    case 'weight':
      return { kind: name, ...lane(2), requester, weight: wholeNumber('weight', words[1] ?? '', 1, 20) };
    case 'rate':
      return { kind: name, ...lane(2), requester, ratePerSecond: rateOf(words[1]) };
    default:
      throw new InvalidArgument(name === '' ? 'a command is missing' : `there is no command "${name}"`);
  }
}

function merchantOf(command: string, words: readonly string[], count: number): string {
  const [merchantId] = words;
  if (merchantId === undefined || words.length !== count)
    throw new InvalidArgument(`${command} takes ${count === 1 ? 'one merchant' : 'a merchant and a number'}`);
  if (!merchantIdSchema.safeParse(merchantId).success)
    throw new InvalidArgument(`${JSON.stringify(merchantId)} cannot be the id of a merchant`);
  return merchantId;
}

function queryOf({ state, merchant, limit, after }: Values): LaneQuery {
  const filter = laneFilters.find((known) => known === state);
  if (state !== undefined && filter === undefined)
    throw new InvalidArgument(`--state takes ${laneFilters.join(', ')}, not "${state}"`);
  const query = { filter: filter satisfies LaneFilter | undefined, prefix: merchant };
  if (after !== undefined && !isToken(query, after))
    throw new InvalidArgument('--after takes the token that the page before ended with');
  return { ...query, after, limit: limit === undefined ? 50 : wholeNumber('--limit', limit, 1, 1_000) };
}

function verdictOf(values: Values): Verdict {
  if (values.skip && values['dead-letter']) throw new InvalidArgument('--skip and --dead-letter exclude each other');
  if (values.skip) return 'skip';
  return values['dead-letter'] ? 'dead' : 'retry';
}

const rateOf = (word: string | undefined): number | null =>
  word === 'none' ? null : decimalNumber('rate', word ?? '', 0.001, 100_000, ', or none');
