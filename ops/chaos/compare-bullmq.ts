/**
 * `node ops/chaos/compare-bullmq.ts`: the same events with the same troubles on
 * stock BullMQ and on Laneway, at growing shares of troubled events. Laneway's run has faults beside, BullMQ's has not.
 * Writes the plot, prints a row for each share.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { z } from 'zod';
import { readArguments, sayUsage } from '../arguments.ts';
import { projectRoot } from '../local/data-folder.ts';
import { startRedis } from '../local/redis.ts';
import { findInversions } from './find-inversions.ts';
import { generateChaosLoad } from './generate-events.ts';
import { parseChaosOptions } from './options.ts';
import { plotLines } from './plot-inversions.ts';
import { runOnBullmq } from './run-bullmq.ts';

const usage = `usage: node ops/chaos/compare-bullmq.ts [--events N] [--merchants N] [--faults N] [--rate N] [--seed N]

  Defaults are 800 events of 30 merchants, 3 faults, 60 events a second and seed 11, as in docs/benchmarks.md.
`;
const percents = [0, 2, 5, 10];
const plotFile = join(projectRoot, 'docs/benchmarks/chaos-inversions.svg');
const laneway = z.object({ inversions: z.int(), done: z.int(), faults: z.array(z.unknown()) });

interface Row {
  readonly troubledPercent: number;
  readonly effects: number;
  readonly stockBullmq: number;
  readonly laneway: number;
  readonly lanewayFaults: number;
}

async function measure(args: readonly string[], troubledPercent: number): Promise<Row> {
  const parsed = parseChaosOptions([...args, '--troubled', String(troubledPercent)]);
  if (parsed.kind !== 'run') throw new Error(parsed.kind === 'invalid' ? parsed.message : 'no such option');
  const load = [...generateChaosLoad({ ...parsed.options, startMs: Date.now() - 3_600_000 })];
  const dir = mkdtempSync(join(tmpdir(), 'laneway-bullmq-'));
  const redis = await startRedis({ dir });
  try {
    const history = await runOnBullmq(load, redis.url);
    const ours = await runLaneway([...args, '--troubled', String(troubledPercent)]);
    return {
      troubledPercent,
      effects: history.effects.length,
      stockBullmq: findInversions(history).length,
      laneway: ours.inversions,
      lanewayFaults: ours.faults.length,
    };
  } finally {
    await redis.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** A process of its own: it starts a stack. Rejects when it exits with anything but 0. */
async function runLaneway(args: readonly string[]): Promise<z.infer<typeof laneway>> {
  const script = join(import.meta.dirname, 'chaos.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [script, ...args, '--json'], {
    maxBuffer: 50_000_000,
    timeout: 900_000,
  });
  return laneway.parse(JSON.parse(stdout));
}

type Parsed = { kind: 'help' } | { kind: 'run'; given: Record<string, string>; args: readonly string[] };

const parse = () =>
  readArguments((): Parsed | { kind: 'invalid'; message: string } => {
    const { values } = parseArgs({
      options: {
        events: { type: 'string', default: '800' },
        merchants: { type: 'string', default: '30' },
        faults: { type: 'string', default: '3' },
        rate: { type: 'string', default: '60' },
        seed: { type: 'string', default: '11' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const { help, ...given } = values;
    if (help) return { kind: 'help' };
    const args = Object.entries(given).map(([name, value]) => `--${name}=${value}`);
    const checked = parseChaosOptions(args);
    return checked.kind === 'run' ? { kind: 'run', given, args } : checked;
  });

async function compare(): Promise<number> {
  const parsed = parse();
  if (parsed.kind !== 'run') return sayUsage(parsed, usage);
  const rows: Row[] = [];
  for (const percent of percents) {
    const row = await measure(parsed.args, percent);
    process.stderr.write(`${JSON.stringify(row)}\n`);
    rows.push(row);
  }
  mkdirSync(dirname(plotFile), { recursive: true });
  writeFileSync(plotFile, plotOf(rows));
  process.stdout.write(`${JSON.stringify({ ...parsed.given, rows })}\n`);
  return 0;
}

const plotOf = (rows: readonly Row[]): string =>
  plotLines({
    title: 'Effects out of order by how many events fail, wait or are slow',
    xLabel: 'per cent of events that a handler has trouble with',
    yLabel: 'effects out of order',
    series: [
      {
        name: 'BullMQ, a queue and a worker for each merchant',
        colour: '#c0392b',
        points: rows.map((row) => [row.troubledPercent, row.stockBullmq]),
      },
      {
        name: 'Laneway, with faults beside',
        colour: '#2471a3',
        points: rows.map((row) => [row.troubledPercent, row.laneway]),
      },
    ],
  });

process.exitCode = await compare();
