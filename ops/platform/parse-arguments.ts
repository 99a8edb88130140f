import { parseArgs } from 'node:util';
import { type QuotaResource, quotaResources } from '../../core/contexts/platform/quotas.ts';
import { merchantId as merchantIdSchema } from '../../core/events/envelope.ts';
import type { Requester } from '../../core/operations/record-action.ts';
import { InvalidArgument, boundedText, dataFolder, readArguments, refuseOtherOptions, timeOf } from '../arguments.ts';

export const usage = `usage: npm run platform -- <command> [options]

  maintenance               windows that are planned or under way
  maintenance plan ID       merchants are told of it; from --from to --to no messages are taken in
    --from, --to TIME       such as 2026-11-28T22:00Z, or a day in UTC; at most 24 hours
    --reason TEXT           told to merchants
  maintenance end ID        calls a window off, or ends it now

  quota MERCHANT            how much of each resource a merchant may have
  quota MERCHANT RESOURCE N|plan
                            sets it apart from its plan, or back to it; RESOURCE is one of
                            campaigns, audience_segments, webhook_endpoints

  merchant open ID          opens an account and prints its first API key, this once; further keys are made with it
    --name NAME             what the merchant is called

    --reason TEXT           recorded with what changes something
    --by NAME               who commands (default: the user of the system)

  --data DIR                folder of a local system (default .laneway, or the system that LANEWAY_POSTGRES_URL and
                            LANEWAY_REDIS_URL name)
  --json                    JSON on standard output
  --help                    this text
`;

export type PlatformCommand =
  | { kind: 'list' }
  | { kind: 'plan'; windowId: string; startsAt: Date; endsAt: Date; requester: Requester }
  | { kind: 'end'; windowId: string; requester: Requester }
  | { kind: 'open-merchant'; merchantId: string; name: string; requester: Requester }
  | { kind: 'quotas'; merchantId: string }
  | { kind: 'set-quota'; merchantId: string; resource: QuotaResource; most: number | null; requester: Requester };

export type ParsedArguments =
  | { kind: 'run'; command: PlatformCommand; json: boolean; dataDir: string | undefined }
  | { kind: 'help' }
  | { kind: 'invalid'; message: string };

const flags = {
  from: { type: 'string' },
  to: { type: 'string' },
  reason: { type: 'string' },
  name: { type: 'string' },
  by: { type: 'string' },
  data: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const recorded = ['reason', 'by'];
/** Commands of more than one word with those that make them what they are. */
const taken = {
  maintenance: [],
  'maintenance plan': ['from', 'to', ...recorded],
  'maintenance end': recorded,
  quota: [],
  'quota MERCHANT RESOURCE': recorded,
  'merchant open': ['name', ...recorded],
};

/** @param user who is asking, where `--by` does not say */
export function parseArguments(args: readonly string[], user: string): ParsedArguments {
  return readArguments<ParsedArguments>(() => {
    const { values, positionals } = parseArgs({ args: [...args], options: flags, allowPositionals: true });
    if (values.help) return { kind: 'help' };
    const { json, data, help: _, ...rest } = values;
    return { kind: 'run', command: commandOf(positionals, rest, user), json, dataDir: dataFolder(data) };
  });
}

type Values = Partial<Record<'from' | 'to' | 'reason' | 'name' | 'by', string | undefined>>;

function commandOf([name = '', ...words]: string[], values: Values, user: string): PlatformCommand {
  const requester = {
    by: boundedText('--by', values.by ?? user),
    reason: boundedText('--reason', values.reason ?? 'not given'),
  };
  switch (name) {
    case 'maintenance':
      return maintenanceOf(words, values, requester);
    case 'quota':
      return quotaOf(words, values, requester);
    case 'merchant':
      return merchantOf(words, values, requester);
    default:
      throw new InvalidArgument(name === '' ? 'a command is missing' : `there is no command "${name}"`);
  }
}

function quotaOf(words: string[], values: Values, requester: Requester): PlatformCommand {
  const [merchantId = '', resource, most, ...more] = words;
  refuseOtherOptions(resource === undefined ? 'quota' : 'quota MERCHANT RESOURCE', values, taken);
  if (!merchantIdSchema.safeParse(merchantId).success) throw new InvalidArgument('quota takes the id of a merchant');
  if (resource === undefined) return { kind: 'quotas', merchantId };
  const known = quotaResources.find((each) => each === resource);
  if (known === undefined)
    throw new InvalidArgument(`there is no resource "${resource}": ${quotaResources.join(', ')}`);
  if (most === undefined || more.length > 0 || !/^(plan|\d{1,9})$/.test(most))
    throw new InvalidArgument('quota takes a whole number, or plan, after the resource');
  return { kind: 'set-quota', merchantId, resource: known, most: most === 'plan' ? null : Number(most), requester };
}

function merchantOf(words: string[], values: Values, requester: Requester): PlatformCommand {
  const [action, merchantId = '', ...more] = words;
  if (action !== 'open') throw new InvalidArgument(`merchant takes open and an id${insteadOf(action)}`);
  refuseOtherOptions('merchant open', values, taken);
  if (more.length > 0 || !merchantIdSchema.safeParse(merchantId).success)
    throw new InvalidArgument('merchant open takes the id of a merchant');
  if (values.name === undefined) throw new InvalidArgument('a merchant has a --name');
  return { kind: 'open-merchant', merchantId, name: boundedText('--name', values.name), requester };
}

function maintenanceOf([action = '', ...words]: string[], values: Values, requester: Requester): PlatformCommand {
  refuseOtherOptions(action === '' ? 'maintenance' : `maintenance ${action}`, values, taken);
  if (action === '') return { kind: 'list' };
  if (action !== 'plan' && action !== 'end')
    throw new InvalidArgument(`maintenance takes plan or end and an id${insteadOf(action)}`);
  if (words.length !== 1) throw new InvalidArgument(`maintenance ${action} takes the id of a window`);
  const windowId = idOf(words[0] ?? '');
  if (action === 'end') return { kind: 'end', windowId, requester };
  if (values.reason === undefined) throw new InvalidArgument('merchants are told the --reason: give one');
  return {
    kind: 'plan',
    windowId,
    startsAt: timeOf('--from', values.from ?? ''),
    endsAt: timeOf('--to', values.to ?? ''),
    requester,
  };
}

const insteadOf = (word: string | undefined): string => (word === undefined ? '' : `, not "${word}"`);

function idOf(text: string): string {
  if (text.length > 64) throw new InvalidArgument('the id takes at most 64 characters');
  return boundedText('the id', text);
}
