import { parseArgs } from 'node:util';
import { dataFolder, readArguments, wholeNumber } from '../arguments.ts';

export type ImportOptions =
  | { kind: 'run'; products: number; dataDir: string | undefined }
  | { kind: 'help' }
  | { kind: 'invalid'; message: string };

export const usage = `usage: npm run import -- [options]

  Imports products of one merchant while another merchant's changes are timed, and prints the figures as JSON. Exit code 0 only
  if every product is in the catalog.

  --products N   products to import (default 100000)
  --data DIR     the running system with this data folder, instead of one that is started for it
  --help         this text
`;

export const parseOptions = (args: readonly string[]): ImportOptions =>
  readArguments(() => {
    const { values } = parseArgs({
      args: [...args],
      options: {
        products: { type: 'string', default: '100000' },
        data: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) return { kind: 'help' };
    const products = wholeNumber('--products', values.products, 1, 1_000_000);
    return { kind: 'run', products, dataDir: dataFolder(values.data) };
  });
