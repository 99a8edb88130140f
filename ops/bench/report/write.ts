import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'prettier';
import { drawFigures } from './figures.ts';
import { replacePart, writePart } from './page.ts';
import { resultsSchema } from './results.ts';

/**
 * Writes results, figures and the bench's part of the page into `docs`. All of them come from one run: figures of different
 * days are not put side by side, so that a part that was left out is gone from the page.
 */
export async function writeReport(report: object, docs: string): Promise<void> {
  const folder = join(docs, 'benchmarks');
  mkdirSync(folder, { recursive: true });
  const results = resultsSchema.parse(report);
  for (const [name, svg] of drawFigures(results)) writeFileSync(join(folder, `${name}.svg`), svg);
  const json = await format(JSON.stringify(report), { parser: 'json' });
  writeFileSync(join(folder, 'results.json'), json);
  const file = join(docs, 'benchmarks.md');
  const page = existsSync(file) ? readFileSync(file, 'utf8') : '# Benchmarks\n';
  const options = { parser: 'markdown', printWidth: 120, singleQuote: true } as const;
  writeFileSync(file, await format(replacePart(page, writePart(results)), options));
}
