import { parseArgs } from 'node:util';
import { InvalidArgument, boundedText, dataFolder, decimalNumber, readArguments } from '../arguments.ts';
import type { Requester } from '../../core/operations/record-action.ts';

export const usage = `usage: npm run events -- backfill HANDLER [options]

  Runs a handler for the events that it missed, because it was added after them. Without --yes it only counts them.

  --yes                   carry it out
  --reason TEXT           why; needed with --yes
  --by NAME               who (default: the user of the system)
  --merchant M            one merchant only
  --include-out-of-order  also events of merchants for whom the handler has applied newer ones, although it keeps an order
  --wait SECONDS          for a page of 500 to be carried out (default 60)

  --data DIR              folder of a local system (default .laneway, or the system that LANEWAY_POSTGRES_URL and
                          LANEWAY_REDIS_URL name)
  --json                  JSON on standard output
  --help                  this text
`;

export interface BackfillCommand {
  handler: string;
  merchantId: string | undefined;
  includeOutOfOrder: boolean;
  /** How long to wait for a page; undefined: only count. */
  carryOut: { requester: Requester; waitMs: number } | undefined;
}

export type ParsedArguments =
  | { kind: 'run'; command: BackfillCommand; json: boolean; dataDir: string | undefined }
  | { kind: 'help' }
  | { kind: 'invalid'; message: string };

const flags = {
  yes: { type: 'boolean', default: false },
  reason: { type: 'string' },
  by: { type: 'string' },
  merchant: { type: 'string' },
  'include-out-of-order': { type: 'boolean', default: false },
  wait: { type: 'string', default: '60' },
  data: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

export function parseArguments(args: readonly string[], user: string, handlers: readonly string[]): ParsedArguments {
  return readArguments((): ParsedArguments => {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: flags,
      strict: true,
      allowPositionals: true,
    });
    if (values.help) return { kind: 'help' };
    const [handler, ...more] = positionals;
    if (handler === undefined || more.length > 0) throw new InvalidArgument('backfill takes the name of one handler');
    if (!handlers.includes(handler)) throw new InvalidArgument(`there is no handler "${handler}"`);
    if (values.yes && values.reason === undefined)
      throw new InvalidArgument('--yes needs a --reason: it is recorded with what is done');
    const waitMs = 1_000 * decimalNumber('--wait', values.wait, 0, 3_600);
    const requester = {
      by: boundedText('--by', values.by ?? user),
      reason: boundedText('--reason', values.reason ?? 'not given'),
    };
    const command = {
      handler,
      merchantId: values.merchant,
      includeOutOfOrder: values['include-out-of-order'],
      carryOut: values.yes ? { requester, waitMs } : undefined,
    };
    return { kind: 'run', command, json: values.json, dataDir: dataFolder(values.data) };
  });
}
