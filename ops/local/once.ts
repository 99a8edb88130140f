import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { randomInt } from 'node:crypto';
import { registry } from '../../core/events/registry.ts';
import { type Activity, awaitRest } from '../checker/at-rest.ts';
import { type CheckReport, checkRun } from '../checker/check.ts';
import { readDatabase } from '../checker/read-database.ts';
import { readOpen } from '../checker/read-open.ts';
import { drainDeadLetters } from '../checker/read-dead-letters.ts';
import { readNetworkLog } from '../checker/read-network-log.ts';
import { readReportFigures } from '../checker/read-reports.ts';
import { reportAds } from '../checker/recompute-reports.ts';
import type { Report } from '../checker/report-money.ts';
import { generateLoad } from '../load/generate.ts';
import type { SentEvent } from '../load/load-event.ts';
import { sendLoad } from '../load/send.ts';
import type { StartOptions } from './options.ts';
import { type Progress, thousands } from './progress.ts';
import type { RunningStack } from './stack.ts';

/** Longer than an unknown outcome of a call waits to be looked up, which is lease and deadline together. */
const stallMs = 180_000;
const reportEveryMs = 2_000;
const findingsShown = 20;

export interface OnceResult {
  readonly events: number;
  readonly emitted: number;
  readonly resent: number;
  readonly applied: number;
  readonly skipped: number;
  readonly deadLettered: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly eventsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly seed: number;
  /** What the system's reports say, beside what the sent events come to. */
  readonly reports: Readonly<Record<string, Report>>;
}

/** Sends a load, waits until everything rests, and lets the checker compare what was sent with what the stores hold. */
export async function runOnce(
  stack: RunningStack,
  options: Pick<StartOptions, 'events' | 'merchants' | 'seed'>,
  progress: Progress,
  signal: AbortSignal,
): Promise<OnceResult & { stalled: boolean }> {
  const seed = options.seed ?? randomInt(2 ** 31);
  const { workers, redisUrl } = stack.describe();
  progress.note(`workers ${workers.map(({ pid }) => pid).join(', ')}, Redis ${redisUrl}, seed ${seed}`);
  const load = [
    ...generateLoad({ seed, events: options.events, merchants: options.merchants, startMs: Date.now() - 3_600_000 }),
  ];
  const startedAtMs = Date.now();
  const say = atMostEvery(reportEveryMs, progress);
  const sent = await progress.step(
    'sending',
    () =>
      sendLoad(load, {
        ...stack.clients,
        ...stack.addresses,
        signal,
        onSent: (count) => say(`sent ${thousands(count)} of ${thousands(load.length)}`),
      }),
    (all) =>
      `sent ${thousands(options.events)} events of ${thousands(options.merchants)} merchants, ${all.length - options.events} of them twice`,
  );
  signal.throwIfAborted();
  const rest = await progress.step(
    'settling',
    () =>
      awaitRest(stack.reader.db, {
        sent: options.events,
        queued: () => messagesQueued(stack),
        onProgress: (activity) => say(describeActivity(activity, options.events)),
        stallMs,
        signal,
      }),
    ({ at, activity }) =>
      at === 'rest' ? 'everything rests' : `stalled: ${describeActivity(activity, options.events)}`,
  );
  if (rest.at === 'stall') for (const line of await readOpen(stack.reader.db)) progress.note(`open: ${line}`);
  const { report, reports } = await progress.step('checking', () => check(stack, sent));
  for (const [name, { match, differences }] of Object.entries(reports))
    if (!match) progress.note(`report ${name} differs: ${differences.join('; ')}`);
  showFindings(report, progress);
  const { findings: _, lastSettledAtMs, ...figures } = report;
  const seconds = Math.max(0.001, (lastSettledAtMs - startedAtMs) / 1_000);
  return {
    ...figures,
    resent: sent.filter(({ resendOf }) => resendOf !== undefined).length,
    eventsPerSecond: Math.round(figures.events / seconds),
    seed,
    reports,
    stalled: rest.at === 'stall',
  };
}

async function check(
  stack: RunningStack,
  sent: readonly SentEvent[],
): Promise<{ report: CheckReport; reports: Record<string, Report> }> {
  const names = [...registry.values()].map(({ deadLetterQueue }) => deadLetterQueue);
  const deadLetterQueues = Object.fromEntries(names.map((name) => [name, stack.addresses.queueUrl(name)]));
  const evidence = {
    ...(await readDatabase(stack.reader.db)),
    deadLetters: await drainDeadLetters(stack.clients.sqs, deadLetterQueues),
    calls: await readNetworkLog(stack.describe().adNetworkUrl),
  };
  // What never took effect is in no report.
  const dead = new Set(evidence.deadLetters.map(({ merchantId, eventId }) => JSON.stringify([merchantId, eventId])));
  const events = [...sent.map(({ merchantId, event }) => ({ ...event, merchantId })), ...evidence.emitted]
    .filter(({ merchantId, eventId }) => !dead.has(JSON.stringify([merchantId, eventId])))
    .map(({ merchantId, eventId, eventType, payload }) => ({
      merchantId,
      eventId,
      eventType,
      payload: typeof payload === 'object' && payload !== null ? { ...payload } : {},
    }));
  return { report: checkRun(sent, evidence), reports: reportAds(events, await readReportFigures(stack.reader.db)) };
}

async function messagesQueued({ clients, addresses }: RunningStack): Promise<number> {
  const counted = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;
  const counts = await Promise.all(
    [...registry.values()].map(async ({ queue }) => {
      const { Attributes = {} } = await clients.sqs.send(
        new GetQueueAttributesCommand({ QueueUrl: addresses.queueUrl(queue), AttributeNames: [...counted] }),
      );
      return counted.reduce((sum, name) => sum + Number(Attributes[name] ?? 0), 0);
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

/** What is open, in words; what is not is left out. */
function describeActivity(activity: Activity, sent: number): string {
  const reached = Math.max(0, activity.accepted - activity.emittedAccepted);
  const open = [
    [activity.behind, 'in lanes'],
    [activity.deliveries, 'waiting to be tried again'],
    [activity.intents, 'calls to ad networks'],
    [activity.emittedOpen, 'emitted events on their way'],
    [activity.deadLettersOpen, 'dead letters on their way'],
  ] as const;
  return [
    `accepted ${thousands(reached)} of ${thousands(sent)}`,
    ...open.filter(([count]) => count > 0).map(([count, what]) => `${thousands(count)} ${what}`),
  ].join(', ');
}

function showFindings({ findings }: CheckReport, progress: Progress): void {
  for (const { kind, what } of findings.slice(0, findingsShown)) progress.note(`${kind}: ${what}`);
  if (findings.length > findingsShown) progress.note(`… and ${thousands(findings.length - findingsShown)} more`);
}

function atMostEvery(ms: number, progress: Progress): (line: string) => void {
  let lastAt = performance.now();
  return (line) => {
    if (performance.now() - lastAt < ms) return;
    lastAt = performance.now();
    progress.note(line);
  };
}
