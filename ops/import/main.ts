/**
 * `npm run import -- --products N [--data DIR]`: what it takes to import a merchant's products, and what others notice of it.
 * Prints a JSON object; exit code 1: a product is missing, 2: wrong usage.
 */
import { parseOptions, usage } from './options.ts';
import { runImport } from './run-import.ts';
import { connectPostgres } from '../../core/clients/postgres.ts';
import { dataPaths } from '../local/data-folder.ts';
import { createProgress } from '../local/progress.ts';
import { type Stack, readStackFile } from '../local/stack-file.ts';
import { startTemporaryStack } from '../local/temporary-stack.ts';

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function measure(stack: Stack, products: number): Promise<number> {
  const postgres = connectPostgres({
    url: stack.postgresUrl,
    poolSize: 1,
    applicationName: 'import',
    statementTimeoutMs: 30_000,
    idleInTransactionTimeoutMs: 10_000,
  });
  try {
    const result = await runImport(stack, postgres.db, products, say);
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return result.held === products ? 0 : 1;
  } finally {
    await postgres.close();
  }
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  switch (options.kind) {
    case 'help':
      process.stdout.write(usage);
      return 0;
    case 'invalid':
      process.stderr.write(`${options.message}\n\n${usage}`);
      return 2;
    case 'run': {
      const { dataDir, products } = options;
      if (dataDir !== undefined) return await measure(readStackFile(dataPaths(dataDir).stack), products);
      await using temporary = await startTemporaryStack({ workers: 2, progress: createProgress() });
      return await measure(temporary.stack.describe(), products);
    }
    default:
      return options satisfies never;
  }
}

process.exitCode = await main();
