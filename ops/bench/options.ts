import { parseArgs } from 'node:util';
import { InvalidArgument, decimalNumber, readArguments, wholeNumber } from '../arguments.ts';
import { type PartName, isPartName, partNames } from './parts.ts';

export interface BenchOptions {
  parts: readonly PartName[];
  json: boolean;
  /** Also writes the plots and the page of the documentation. */
  write: boolean;
  pairs: number;
  scale: number;
}

export type ParsedBenchOptions =
  { kind: 'bench'; options: BenchOptions } | { kind: 'help' } | { kind: 'invalid'; message: string };

export const usage = `usage: npm run bench -- [part…] [options]

  Measures Laneway beside its peers on servers of its own, and says progress on standard error.
  Parts, all by default: ${partNames.join(', ')}

  --json         nothing but JSON on standard output
  --pairs N      rounds in which every contender runs once (default 5)
  --scale F      factor on all amounts, from 0.001 to 10 (default 1)
  --write        also write docs/benchmarks.md and its figures; parts that were not run stay if they were
                 measured on the same day under the same conditions

  --help         this text
`;

const flags = {
  json: { type: 'boolean', default: false },
  write: { type: 'boolean', default: false },
  pairs: { type: 'string', default: '5' },
  scale: { type: 'string', default: '1' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

export function parseBenchOptions(args: readonly string[]): ParsedBenchOptions {
  return readArguments((): ParsedBenchOptions => {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: flags,
      strict: true,
      allowPositionals: true,
    });
    if (values.help) return { kind: 'help' };
    const unknown = positionals.find((name) => !isPartName(name));
    if (unknown !== undefined) throw new InvalidArgument(`there is no part ${unknown}: ${partNames.join(', ')}`);
    const pairs = wholeNumber('--pairs', values.pairs, 1, 100);
    const scale = decimalNumber('--scale', values.scale, 0.001, 10);
    const chosen = positionals.length === 0 ? partNames : partNames.filter((name) => positionals.includes(name));
    return { kind: 'bench', options: { parts: chosen, json: values.json, write: values.write, pairs, scale } };
  });
}
