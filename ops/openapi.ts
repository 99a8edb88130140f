/**
 * `npm run openapi` writes docs/openapi.json from the gateway's routes; with `-- --check` it only compares, and exits with 1
 * when the file is out of date.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { openApiDocument } from '../gateway/openapi-document.ts';
import prettier from 'prettier';

const file = new URL('../docs/openapi.json', import.meta.url);

/** The file's content, in the project's formatting. */
export async function makeOpenApi(): Promise<string> {
  return await prettier.format(JSON.stringify(openApiDocument()), { parser: 'json', printWidth: 120 });
}

async function run(args: readonly string[]): Promise<number> {
  if (args.some((argument) => argument !== '--check')) {
    console.error('usage: npm run openapi [-- --check]');
    return 2;
  }
  const made = await makeOpenApi();
  if (args.length === 0) {
    writeFileSync(file, made);
    return 0;
  }
  if (existsSync(file) && readFileSync(file, 'utf8') === made) return 0;
  console.error('docs/openapi.json is out of date: run `npm run openapi`');
  return 1;
}

if (import.meta.main) process.exitCode = await run(process.argv.slice(2));
