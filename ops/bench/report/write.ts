import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'prettier';
import { z } from 'zod';
import { drawFigures } from './figures.ts';
import { replacePart, writePart } from './page.ts';
import { resultsSchema } from './results.ts';

/**
 * Writes results, figures and the bench's part of the page into `docs`. Parts that were not run stay as the page has them if
 * they were measured under the same conditions, so that a whole bench may be run part by part; figures of other conditions
 * are not put side by side with these, and go.
 */
export async function writeReport(measured: object, docs: string): Promise<void> {
  const folder = join(docs, 'benchmarks');
  mkdirSync(folder, { recursive: true });
  const report = withEarlierParts(measured, join(folder, 'results.json'));
  const results = resultsSchema.parse(report);
  for (const [name, svg] of drawFigures(results)) writeFileSync(join(folder, `${name}.svg`), svg);
  const json = await format(JSON.stringify(report), { parser: 'json' });
  writeFileSync(join(folder, 'results.json'), json);
  const file = join(docs, 'benchmarks.md');
  const page = existsSync(file) ? readFileSync(file, 'utf8') : '# Benchmarks\n';
  const options = { parser: 'markdown', printWidth: 120, singleQuote: true } as const;
  writeFileSync(file, await format(replacePart(page, writePart(results)), options));
}

/** What makes figures comparable: a date is a day's, on which nothing else is known to have changed. */
const conditions = z.looseObject({
  ...resultsSchema.pick({ machine: true, versions: true, settings: true, date: true, options: true }).shape,
  seconds: z.record(z.string(), z.number()).optional(),
});

function withEarlierParts(measured: object, file: string): object {
  if (!existsSync(file)) return measured;
  const [now, then] = [conditions.parse(measured), conditions.safeParse(JSON.parse(readFileSync(file, 'utf8')))];
  const of = ({ machine, versions, settings, date, options }: z.infer<typeof conditions>) =>
    JSON.stringify([machine, versions, settings, date, options]);
  if (!then.success || of(now) !== of(then.data)) return measured;
  return { ...then.data, ...now, seconds: { ...then.data.seconds, ...now.seconds } };
}
