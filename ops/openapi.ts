/**
 * `npm run openapi` writes docs/openapi.json from the gateway's routes; with `-- --check` it only compares, and exits with 1
 * when the file is out of date.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { openApiDocument } from '../gateway/openapi-document.ts';
import prettier from 'prettier';
import { readArguments, sayUsage } from './arguments.ts';

const file = new URL('../docs/openapi.json', import.meta.url);

/** The file's content, in the project's formatting. */
export async function makeOpenApi(): Promise<string> {
  return await prettier.format(JSON.stringify(openApiDocument()), { parser: 'json', printWidth: 120 });
}

const parse = () =>
  readArguments((): { kind: 'run'; check: boolean } | { kind: 'help' } => {
    const flag = { type: 'boolean', default: false } as const;
    const { help, check } = parseArgs({ options: { check: flag, help: { ...flag, short: 'h' } } }).values;
    return help ? { kind: 'help' } : { kind: 'run', check };
  });

async function run(): Promise<number> {
  const options = parse();
  if (options.kind !== 'run') return sayUsage(options, 'usage: npm run openapi [-- --check]\n');
  const made = await makeOpenApi();
  if (!options.check) {
    writeFileSync(file, made);
    return 0;
  }
  if (existsSync(file) && readFileSync(file, 'utf8') === made) return 0;
  console.error('docs/openapi.json is out of date: run `npm run openapi`');
  return 1;
}

if (import.meta.main) process.exitCode = await run();
