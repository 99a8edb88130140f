import { parseArgs } from 'node:util';
import { InvalidArgument, dataFolder, readArguments, wholeNumber } from '../arguments.ts';

export interface StartOptions {
  readonly once: boolean;
  readonly events: number;
  readonly merchants: number;
  /** Undefined: a new one for every run, reported with the result. */
  readonly seed: number | undefined;
  readonly json: boolean;
  readonly demo: boolean;
  readonly fresh: boolean;
  readonly workers: number;
  /** Undefined: the usual port when it is free, else any. */
  readonly gatewayPort: number | undefined;
  readonly opsPort: number | undefined;
  /** Undefined: `.laneway`, or for `--once` a folder that is removed again. */
  readonly dataDir: string | undefined;
}

export type ParsedOptions =
  { kind: 'start'; options: StartOptions } | { kind: 'help' } | { kind: 'invalid'; message: string };

export const usage = `usage: npm start -- [options]

  Starts the whole system on this machine and keeps it running until Ctrl-C.

  --no-demo            no demo load
  --fresh              delete what earlier runs kept and start over
  --workers N          worker processes (default 2)
  --port-gateway N     port of the gateway (default 8787 when free, else any)
  --port-ops N         port of the operators' console (default 8788 when free, else any)
  --data DIR           where data is kept (default .laneway)
  --json               nothing but JSON on standard output

  --once               send a load, wait until everything is settled, check it, report and stop;
                       exit code 0 only if nothing was lost, duplicated or reordered
  --events N           events to send (default 1000), with --once
  --merchants N        merchants to spread them over (default 50), with --once
  --seed N             makes the load repeatable, with --once

  --help               this text
`;

const flags = {
  once: { type: 'boolean', default: false },
  events: { type: 'string' },
  merchants: { type: 'string' },
  seed: { type: 'string' },
  json: { type: 'boolean', default: false },
  'no-demo': { type: 'boolean', default: false },
  fresh: { type: 'boolean', default: false },
  workers: { type: 'string' },
  'port-gateway': { type: 'string' },
  'port-ops': { type: 'string' },
  data: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

export function parseOptions(args: readonly string[]): ParsedOptions {
  return readArguments((): ParsedOptions => {
    const { values } = parseArgs({ args: [...args], options: flags, strict: true, allowPositionals: false });
    if (values.help) return { kind: 'help' };
    for (const name of ['events', 'merchants', 'seed'] as const) {
      if (values[name] !== undefined && !values.once)
        throw new InvalidArgument(`--${name} only makes sense with --once`);
    }
    return {
      kind: 'start',
      options: {
        once: values.once,
        events: whole('--events', values.events, 1, 10_000_000) ?? 1_000,
        merchants: whole('--merchants', values.merchants, 1, 1_000_000) ?? 50,
        seed: whole('--seed', values.seed, 0, 4_294_967_295),
        json: values.json,
        demo: !values['no-demo'],
        fresh: values.fresh,
        workers: whole('--workers', values.workers, 1, 64) ?? 2,
        gatewayPort: whole('--port-gateway', values['port-gateway'], 1, 65_535),
        opsPort: whole('--port-ops', values['port-ops'], 1, 65_535),
        dataDir: dataFolder(values.data),
      },
    };
  });
}

const whole = (flag: string, text: string | undefined, min: number, max: number): number | undefined =>
  text === undefined ? undefined : wholeNumber(flag, text, min, max);
