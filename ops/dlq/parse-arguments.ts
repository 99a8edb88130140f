import { parseArgs } from 'node:util';
import {
  InvalidArgument,
  boundedText,
  dataFolder,
  decimalNumber,
  readArguments,
  refuseOtherOptions,
  timeOf,
  wholeNumber,
} from '../arguments.ts';
import type { Requester } from '../../core/operations/record-action.ts';
import type { OrderClass } from './classify.ts';
import type { ItemFilter } from './items.ts';
import { readPlace } from './read-dead.ts';

export const usage = `usage: npm run dlq -- <command> [options]

  list                      what was given up: pairs of event and handler, effects, messages that were no events
  show ID                   all that is known of one, with its body
  redrive                   what redriving would do; with --yes it does it
    --yes                   carry it out
    --reason TEXT           why; needed with --yes
    --by NAME               who (default: the user of the system)
    --include CLASSES       superseded, conflicting: redrive these too, although newer events are applied
    --rate N                a second at most (default 10)
    --wait SECONDS          for the ends, before dead letters are removed (default 30)
    --resume RUN            go on with an interrupted run, or remove the letters of one that is over

  --queue NAME              a dead-letter queue, as the specification calls it
  --handler NAME            --merchant M   --code CODE   --event ID
  --since TIME              given up at or after, --until TIME before: such as 2026-11-23T12:00Z, or a day in UTC
  --limit N                 1 to 1000 (default 100): listed, or redriven; what a redrive leaves does not count
  --after PLACE             go on where an earlier answer ended: its "next"

  --data DIR                folder of a local system (default .laneway, or the system that LANEWAY_POSTGRES_URL and
                            LANEWAY_REDIS_URL name)
  --json                    JSON on standard output
  --help                    this text
`;

export type DlqCommand =
  | { kind: 'list'; filter: ItemFilter }
  | { kind: 'show'; id: string }
  | { kind: 'plan'; filter: ItemFilter; include: readonly OrderClass[] }
  | ({
      kind: 'redrive';
      filter: ItemFilter;
      include: readonly OrderClass[];
      perSecond: number;
      requester: Requester;
    } & Waiting)
  | ({ kind: 'resume'; runId: string } & Waiting);

interface Waiting {
  /** How long to wait for the ends. */
  waitMs: number;
}

export type ParsedArguments =
  | { kind: 'run'; command: DlqCommand; json: boolean; dataDir: string | undefined }
  | { kind: 'help' }
  | { kind: 'invalid'; message: string };

const flags = {
  queue: { type: 'string' },
  handler: { type: 'string' },
  merchant: { type: 'string' },
  code: { type: 'string' },
  event: { type: 'string' },
  since: { type: 'string' },
  until: { type: 'string' },
  limit: { type: 'string' },
  after: { type: 'string' },
  include: { type: 'string' },
  rate: { type: 'string' },
  wait: { type: 'string' },
  resume: { type: 'string' },
  yes: { type: 'boolean', default: false },
  reason: { type: 'string' },
  by: { type: 'string' },
  data: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const filters = ['queue', 'handler', 'merchant', 'code', 'event', 'since', 'until', 'limit', 'after'];
/** A run that is resumed has its filters, and whoever asked for it, from when it began; `--yes` says what goes without saying. */
const RESUME = 'redrive --resume';
const taken = {
  list: filters,
  show: [],
  redrive: [...filters, 'include', 'rate', 'wait', 'yes', 'reason', 'by'],
  [RESUME]: ['resume', 'wait', 'yes'],
};

type Values = { [Flag in keyof typeof flags]?: (typeof flags)[Flag]['type'] extends 'boolean' ? boolean : string };

/** @param known what `--queue` and `--handler` may name */
export function parseArguments(
  args: readonly string[],
  user: string,
  known: { queues: readonly string[]; handlers: readonly string[] },
): ParsedArguments {
  return readArguments((): ParsedArguments => {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: flags,
      strict: true,
      allowPositionals: true,
    });
    if (values.help) return { kind: 'help' };
    const { json, data, help: _, ...rest } = values;
    const command = commandOf(positionals, rest, user);
    oneOf('--queue', rest.queue, known.queues);
    oneOf('--handler', rest.handler, known.handlers);
    return { kind: 'run', command, json, dataDir: dataFolder(data) };
  });
}

function commandOf([name = '', ...words]: readonly string[], values: Values, user: string): DlqCommand {
  refuseOtherOptions(name === 'redrive' && values.resume !== undefined ? RESUME : name, values, taken);
  const [first] = words;
  if (words.length > (name === 'show' ? 1 : 0))
    throw new InvalidArgument(`"${words.at(-1) ?? ''}" is one word too many`);
  switch (name) {
    case 'list':
      return { kind: 'list', filter: filterOf(values) };
    case 'show':
      if (first === undefined) throw new InvalidArgument('show takes the id that list gives');
      return { kind: 'show', id: first };
    case 'redrive':
      return redriveOf(values, user);
    default:
      throw new InvalidArgument(name === '' ? 'a command is missing' : `there is no command "${name}"`);
  }
}

function redriveOf(values: Values, user: string): DlqCommand {
  const waitMs = 1_000 * decimalNumber('--wait', values.wait ?? '30', 0, 3_600);
  if (values.resume !== undefined) {
    if (!/^[0-9a-f-]{36}$/.test(values.resume)) throw new InvalidArgument('--resume takes the id of a run');
    return { kind: 'resume', runId: values.resume, waitMs };
  }
  const filter = filterOf(values);
  const include = includeOf(values.include);
  const perSecond = decimalNumber('--rate', values.rate ?? '10', 0.01, 1_000);
  if (values.yes !== true) return { kind: 'plan', filter, include };
  if (values.reason === undefined) throw new InvalidArgument('--yes needs a --reason: it is recorded with the run');
  const requester = { by: boundedText('--by', values.by ?? user), reason: boundedText('--reason', values.reason) };
  return { kind: 'redrive', filter, include, perSecond, requester, waitMs };
}

function filterOf(values: Values): ItemFilter {
  return {
    queue: values.queue,
    handler: values.handler,
    merchantId: values.merchant,
    code: values.code,
    since: values.since === undefined ? undefined : timeOf('--since', values.since).getTime(),
    until: values.until === undefined ? undefined : timeOf('--until', values.until).getTime(),
    eventId: values.event,
    limit: wholeNumber('--limit', values.limit ?? '100', 1, 1_000),
    after: place(values.after),
  };
}

const includable = ['superseded', 'conflicting'] as const;

function includeOf(text: string | undefined): readonly OrderClass[] {
  const names = text === undefined ? [] : text.split(',');
  return names.map((name) => {
    const found = includable.find((order) => order === name);
    if (found === undefined) throw new InvalidArgument(`--include takes ${includable.join(', ')}, not "${name}"`);
    return found;
  });
}

function oneOf(flag: string, value: string | undefined, known: readonly string[]): void {
  if (value !== undefined && !known.includes(value))
    throw new InvalidArgument(`${flag} takes one of ${known.join(', ')}, not "${value}"`);
}

function place(text: string | undefined): string | undefined {
  if (text !== undefined && readPlace(text) === undefined)
    throw new InvalidArgument(`--after takes what an earlier answer gave, not "${text}"`);
  return text;
}
