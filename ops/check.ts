/**
 * `npm run check`: format, lint, types, import rules and generated files, side by side. Prints a line for each, the
 * output of those that fail, and exits with 1 when one does.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { readArguments, sayUsage } from './arguments.ts';
import { checkImports } from './import-rules.ts';

const root = join(import.meta.dirname, '..');
/** What the compiler knows from the last time. Where few files changed, a check of them takes a fraction of the time. */
const typesSeen = join(root, 'node_modules/.cache/types.tsbuildinfo');

interface Step {
  name: string;
  /** what to do when it fails, where there is a command for it */
  remedy?: string;
  /** the complaints; empty when there are none */
  run: () => Promise<string>;
}

interface Generated {
  /** relative to the root */
  file: string;
  make: () => Promise<string>;
}

const steps: Step[] = [
  {
    name: 'format',
    remedy: 'npm run format',
    run: () => runTool('prettier', ['--check', '--cache', '--cache-strategy=content', '--log-level=warn', '.']),
  },
  { name: 'lint', run: () => runTool('oxlint', ['--type-aware', '--deny-warnings']) },
  {
    name: 'types',
    run: () => runTool('tsc', ['--noEmit', '-p', '.', '--incremental', '--tsBuildInfoFile', typesSeen]),
  },
  { name: 'import rules', run: checkImportRules },
  { name: 'generated files', run: checkGenerated },
];

async function runTool(tool: string, args: string[]): Promise<string> {
  // tools are started by `#!/usr/bin/env node`: this Node, whichever one is on PATH
  const env = { ...process.env, PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter) };
  const child = spawn(join(root, 'node_modules/.bin', tool), args, {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  }
  await once(child, 'close');
  if (child.exitCode === 0) return '';
  return output.trimEnd() || `${tool} ended with ${child.exitCode ?? child.signalCode}`;
}

function checkImportRules(): Promise<string> {
  const told = checkImports(root).map(({ file, line, found, reason }) => `${file}:${line}  ${found}\n  ${reason}`);
  return Promise.resolve(told.join('\n'));
}

async function checkGenerated(): Promise<string> {
  const list = join(import.meta.dirname, 'generated.ts');
  if (!existsSync(list)) return '';
  const loaded: unknown = await import(pathToFileURL(list).href);
  if (!listsGenerated(loaded)) return 'ops/generated.ts does not export a list called `generated`';
  const complaints: string[] = [];
  for (const { file, make } of loaded.generated) {
    const path = join(root, file);
    const made = await make();
    if (!existsSync(path)) complaints.push(`${file} is missing`);
    else if (readFileSync(path, 'utf8') !== made)
      complaints.push(`${file} is out of date: ${firstDifference(path, made)}`);
  }
  return complaints.join('\n');
}

function listsGenerated(module: unknown): module is { generated: Generated[] } {
  return typeof module === 'object' && module !== null && 'generated' in module && Array.isArray(module.generated);
}

function firstDifference(path: string, made: string): string {
  const is = readFileSync(path, 'utf8').split('\n');
  const shouldBe = made.split('\n');
  const index = shouldBe.findIndex((line, at) => line !== is[at]);
  const at = index === -1 ? shouldBe.length : index;
  return `line ${at + 1} is ${JSON.stringify(is[at])}, should be ${JSON.stringify(shouldBe[at])}`;
}

async function runStep({ name, remedy, run }: Step): Promise<boolean> {
  const startedAt = performance.now();
  const complaints = await run().catch(
    (error: unknown) => (error instanceof Error ? error.stack : undefined) ?? String(error),
  );
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  if (complaints === '') {
    console.log(`ok    ${name}  ${seconds} s`);
    return true;
  }
  console.log(`FAIL  ${name}  ${seconds} s\n${complaints}`);
  if (remedy !== undefined) console.log(`(mend with: ${remedy})`);
  return false;
}

async function main(): Promise<number> {
  const parsed = readArguments((): { kind: 'run' } | { kind: 'help' } => {
    const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h', default: false } } });
    return values.help ? { kind: 'help' } : { kind: 'run' };
  });
  if (parsed.kind !== 'run') return sayUsage(parsed, 'usage: npm run check\n');
  const results = await Promise.all(steps.map(runStep));
  return results.every(Boolean) ? 0 : 1;
}

process.exitCode = await main();
