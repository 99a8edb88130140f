import { parseArgs } from 'node:util';
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
  --write        also write docs/benchmarks.md and its figures, from this run alone

  --help         this text
`;

const flags = {
  json: { type: 'boolean', default: false },
  write: { type: 'boolean', default: false },
  pairs: { type: 'string', default: '5' },
  scale: { type: 'string', default: '1' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const invalid = (message: string): ParsedBenchOptions => ({ kind: 'invalid', message });

export function parseBenchOptions(args: readonly string[]): ParsedBenchOptions {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: flags,
      strict: true,
      allowPositionals: true,
    });
    if (values.help) return { kind: 'help' };
    const unknown = positionals.find((name) => !isPartName(name));
    if (unknown !== undefined) return invalid(`there is no part ${unknown}: ${partNames.join(', ')}`);
    const pairs = Number(values.pairs);
    if (!(Number.isInteger(pairs) && pairs >= 1 && pairs <= 100))
      return invalid(`--pairs takes a whole number from 1 to 100, not "${values.pairs}"`);
    const scale = Number(values.scale);
    if (!(scale >= 0.001 && scale <= 10))
      return invalid(`--scale takes a number from 0.001 to 10, not "${values.scale}"`);
    const chosen = positionals.length === 0 ? partNames : partNames.filter((name) => positionals.includes(name));
    return { kind: 'bench', options: { parts: chosen, json: values.json, write: values.write, pairs, scale } };
  } catch (error) {
    // What parseArgs throws is a TypeError whose first sentence names the flag.
    if (error instanceof TypeError) return invalid(error.message.replace(/\. To specify .*$/s, ''));
    throw error;
  }
}
