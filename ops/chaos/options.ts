import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { dataFolder, readArguments, wholeNumber } from '../arguments.ts';

export interface ChaosOptions {
  readonly seed: number;
  readonly merchants: number;
  readonly events: number;
  readonly faults: number;
  readonly workers: number;
  /** Events sent per second. */
  readonly rate: number;
  /** The share of events that a handler has trouble with. */
  readonly troubled: number;
  /** How long a worker may be silent before another one takes its lanes. */
  readonly leaseMs: number;
  /** All events of the product, with partners that fail, instead of events made for chaos. */
  readonly mix: boolean;
  readonly json: boolean;
  /** Where data and logs are kept afterwards; undefined: nowhere. */
  readonly dataDir: string | undefined;
}

export type ParsedChaosOptions =
  { kind: 'run'; options: ChaosOptions } | { kind: 'help' } | { kind: 'invalid'; message: string };

export const usage = `usage: npm run chaos -- [options]

  Sends a load through the whole system while it is disturbed, and checks what its handlers did and when they committed.
  Exit code 0 only if nothing overlapped, was inverted, lost or done twice.

  --seed N         draws load, troubles of handlers and faults; the same seed, the same schedule (default: a new one)
  --merchants N    merchants (default 200)
  --events N       events (default 20000)
  --faults N       faults (default: one for every 800 events)
  --workers N      worker processes (default 3)
  --rate N         events sent per second (default: five seconds from one fault to the next)
  --troubled N     per cent of events that a handler has trouble with (default 8)
  --lease-ms N     how long a worker may be silent before another one takes its lanes (default 8000)
  --mix            all events of the product, with ad networks and mail that fail, in place of events made for chaos
  --data DIR       keep data and logs there
  --json           nothing but JSON on standard output
  --help           this text
`;

const flags = {
  seed: { type: 'string' },
  merchants: { type: 'string' },
  events: { type: 'string' },
  faults: { type: 'string' },
  workers: { type: 'string' },
  rate: { type: 'string' },
  troubled: { type: 'string' },
  'lease-ms': { type: 'string' },
  data: { type: 'string' },
  mix: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const eventsPerFault = 800;
const secondsPerFault = 5;

export function parseChaosOptions(args: readonly string[]): ParsedChaosOptions {
  return readArguments((): ParsedChaosOptions => {
    const { values } = parseArgs({ args: [...args], options: flags, strict: true, allowPositionals: false });
    if (values.help) return { kind: 'help' };
    const events = whole('--events', values.events, 1, 1_000_000) ?? 20_000;
    const faults = whole('--faults', values.faults, 0, 1_000) ?? Math.max(1, Math.round(events / eventsPerFault));
    const usualRate = Math.ceil(events / (secondsPerFault * Math.max(1, faults)));
    return {
      kind: 'run',
      options: {
        seed: whole('--seed', values.seed, 0, 2 ** 32 - 1) ?? randomInt(2 ** 31),
        merchants: whole('--merchants', values.merchants, 1, 100_000) ?? 200,
        events,
        faults,
        workers: whole('--workers', values.workers, 1, 16) ?? 3,
        rate: whole('--rate', values.rate, 1, 100_000) ?? usualRate,
        troubled: (whole('--troubled', values.troubled, 0, 100) ?? 8) / 100,
        leaseMs: whole('--lease-ms', values['lease-ms'], 1_000, 600_000) ?? 8_000,
        mix: values.mix,
        json: values.json,
        dataDir: dataFolder(values.data),
      },
    };
  });
}

const whole = (flag: string, text: string | undefined, min: number, max: number): number | undefined =>
  text === undefined ? undefined : wholeNumber(flag, text, min, max);
