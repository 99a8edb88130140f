import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectPostgres } from '../../core/clients/postgres.ts';
import { drainDeadLetters } from '../checker/read-dead-letters.ts';
import { dataPaths } from '../local/data-folder.ts';
import { databaseName } from '../local/database.ts';
import type { ProcessRecord } from '../local/leftovers.ts';
import { createProgress } from '../local/progress.ts';
import { type RunningStack, startStack } from '../local/stack.ts';
import type { Teardown } from '../local/teardown.ts';
import { awaitQuiet } from './await-quiet.ts';
import { type Judgement, checkHistory } from './check-history.ts';
import { type InjectedFault, disturb } from './disturb.ts';
import { countStaleCalls } from './find-overlaps.ts';
import { beginMix } from './begin-mix.ts';
import type { PartnerJudgement } from './check-partners.ts';
import { generateChaosLoad } from './generate-events.ts';
import { generateMix } from './mix.ts';
import type { History } from './history.ts';
import { createHistoryTables } from './history-tables.ts';
import { operate } from './operate.ts';
import type { ChaosOptions } from './options.ts';
import { type Proxies, putProxiesBetween } from './put-proxies-between.ts';
import { expectedEvents, expectedHandlers, readRecorded, readStarts } from './read-history.ts';
import { chaosRegistry } from './registry.ts';
import { scheduleFaults } from './schedule-faults.ts';
import { createProducers } from './send-load.ts';

const workerBackDeadlineMs = 60_000;

export interface ChaosResult extends Omit<Judgement, 'findings' | 'recoveries' | 'catchUps'> {
  readonly seed: number;
  readonly events: number;
  readonly merchants: number;
  readonly workers: number;
  readonly leaseMs: number;
  /** Pairs of event and handler, by how they ended. */
  readonly done: number;
  readonly dead: number;
  readonly parked: number;
  readonly redriven: number;
  /** Calls of handlers, those that were rolled back and made again included. */
  readonly calls: number;
  /** Calls by a worker that had lost the lane to another one: each of them was refused, or is an overlap. */
  readonly staleCalls: number;
  /** Lines of warning and error that the workers logged. */
  readonly warnings: number;
  readonly seconds: number;
  /** Something was left to do, and nothing moved any more. */
  /** What the world outside holds, of a run over the mix. */
  readonly partners?: PartnerJudgement;
  readonly stalled: boolean;
  readonly faults: readonly (Pick<InjectedFault, 'kind' | 'target' | 'afterEvents' | 'durationMs' | 'failure'> & {
    readonly recoveredMs: number | null;
    readonly behindMs: number;
  })[];
}

export interface ChaosRun {
  readonly dataDir: string;
  readonly record: ProcessRecord;
  readonly teardown: Teardown;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Brings up a stack, disturbs it under load, lets it come to rest, plays the operator, and has its history checked. */
export async function runChaos(
  options: ChaosOptions,
  run: ChaosRun,
): Promise<{ result: ChaosResult; findings: readonly string[] }> {
  const { say, signal, dataDir } = run;
  const startedAt = performance.now();
  const { stack, proxies, isBack } = await startDisturbedStack(options, run);
  const admin = connectPostgres({
    url: stack.servers.postgres.current.url('postgres', stack.secrets.superuserPassword, databaseName),
    poolSize: 1,
    applicationName: 'chaos',
    statementTimeoutMs: 60_000,
    idleInTransactionTimeoutMs: 60_000,
  });
  run.teardown.add(undefined, () => admin.close());
  await createHistoryTables(admin.db);

  const load = options.mix
    ? generateMix(options)
    : [...generateChaosLoad({ ...options, startMs: Date.now() - 3_600_000 })];
  const producers = createProducers(stack, signal);
  const mix = options.mix ? await beginMix(stack, admin.db, load, options.seed) : undefined;
  const disturbed = disturb({
    load: load.filter(({ isClosing }) => isClosing !== true),
    rate: options.rate,
    schedule: scheduleFaults(options.seed, options),
    disturbed: { stack, dataDir, proxies, isBack, ...producers },
    producers: mix === undefined ? producers : mix.troubling(producers),
    say,
  });
  const [faults] = await Promise.all([disturbed, mix?.advertise(signal)]);
  const closing = load.filter(({ isClosing }) => isClosing === true);
  if (closing.length > 0) {
    const before = expectedEvents(producers.sent, chaosRegistry).length;
    await awaitQuiet(admin.db, { sent: before, say, signal });
    await producers.sendPaced(closing, options.rate, () => undefined);
  }
  const sent = expectedEvents(producers.sent, chaosRegistry);
  say(`sent ${sent.length} events, all ${faults.length} faults are over`);
  const quiet = await awaitQuiet(admin.db, { sent: sent.length, say, signal });
  const redriven = await operate(admin.db);
  say(`the operator has asked for ${redriven} pairs again`);
  const stalled = !(await awaitQuiet(admin.db, { sent: sent.length, say, signal })) || !quiet;
  const partners = mix === undefined ? undefined : await mix.judge(producers.sent, { say, signal });

  const emitted = partners?.emitted ?? [];
  const history = await readHistory(stack, [...sent, ...expectedEvents(emitted, chaosRegistry)], faults);
  const { findings, recoveries, catchUps, ...judgement } = checkHistory(history);
  const starts = readStarts(stack.workers.map(({ name }) => startsFileOf(dataDir, name)));
  const count = (outcome: string) => history.ends.filter((end) => end.outcome === outcome).length;
  const result: ChaosResult = {
    ...judgement,
    seed: options.seed,
    events: sent.length,
    merchants: options.merchants,
    workers: options.workers,
    leaseMs: options.leaseMs,
    done: count('done'),
    dead: count('dead'),
    parked: history.open.filter(({ state }) => state === 'parked').length,
    redriven,
    calls: starts.length,
    staleCalls: countStaleCalls(starts, history.commits),
    warnings: stack.workers.reduce((sum, { name }) => sum + warningsIn(dataDir, name), 0),
    seconds: Math.round((performance.now() - startedAt) / 1_000),
    stalled: stalled || partners?.rested === false,
    ...(partners === undefined ? {} : { partners: partners.judgement }),
    faults: faults.map(({ kind, target, afterEvents, durationMs, failure }, index) => ({
      ...{ kind, target, afterEvents, durationMs, failure },
      recoveredMs: recoveries[index] ?? null,
      behindMs: catchUps[index] ?? 0,
    })),
  };
  return { result, findings: [...findings, ...(partners?.judgement.findings ?? [])] };
}

async function startDisturbedStack(options: ChaosOptions, { dataDir, record, teardown, say, signal }: ChaosRun) {
  let proxies: Proxies | undefined;
  const listeners = new Set<(line: string) => void>();
  const stack = await startStack({
    dataDir,
    stackFiles: [dataPaths(dataDir).stack],
    workers: options.workers,
    gatewayPort: undefined,
    opsPort: undefined,
    usualPorts: false,
    record,
    progress: createProgress(say),
    teardown,
    log: (line) => {
      say(line);
      for (const listener of [...listeners]) listener(line);
    },
    signal,
    variant: {
      registry: chaosRegistry,
      workerScript: 'ops/chaos/worker.ts',
      workerEnvironment: (name) => ({
        CHAOS_STARTS_FILE: startsFileOf(dataDir, name),
        LANEWAY_LEASE_MS: String(options.leaseMs),
        LANEWAY_VISIBILITY_SECONDS: '10',
        // Three workers share two cores with all that they talk to.
        LANEWAY_ACTORS: '4',
        LANEWAY_CREWS: '2',
        LANEWAY_WINDOW_EVENTS: '20',
        LANEWAY_SWEEP_MS: '500',
      }),
      workerBackoff: { baseMs: 100, capMs: 1_000, settledAfterMs: 10_000 },
      async between(direct, toTearDown) {
        const put = await putProxiesBetween(direct, toTearDown);
        proxies = put.proxies;
        return put.addresses;
      },
    },
  });
  if (proxies === undefined) throw new Error('the stack came up without its proxies');
  const isBack = (worker: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        listeners.delete(listen);
        reject(new Error(`${worker} was not back after ${workerBackDeadlineMs} ms`));
      }, workerBackDeadlineMs);
      const listen = (line: string) => {
        if (!line.startsWith(`${worker} is back`)) return;
        clearTimeout(late);
        listeners.delete(listen);
        resolve();
      };
      listeners.add(listen);
    });
  return { stack, proxies, isBack };
}

const startsFileOf = (dataDir: string, worker: string): string => join(dataPaths(dataDir).logs, `${worker}.starts`);

async function readHistory(
  stack: RunningStack,
  sent: History['sent'],
  faults: readonly InjectedFault[],
): Promise<History> {
  const names = [...chaosRegistry.values()].map(({ deadLetterQueue }) => deadLetterQueue);
  const queues = Object.fromEntries(names.map((name) => [name, stack.addresses.queueUrl(name)]));
  const letters = await drainDeadLetters(stack.clients.sqs, queues);
  return {
    ...(await readRecorded(stack.reader.db)),
    handlers: expectedHandlers(chaosRegistry),
    sent,
    faults,
    deadLetters: letters.map(({ handler, merchantId = '', eventId = '', errorCode }) => ({
      ...{ handler, merchantId, eventId, errorCode },
    })),
  };
}

function warningsIn(dataDir: string, worker: string): number {
  const log = readFileSync(join(dataPaths(dataDir).logs, `${worker}.log`), 'utf8');
  return log.match(/"level":"(warn|error)"/g)?.length ?? 0;
}
