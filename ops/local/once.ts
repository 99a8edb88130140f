import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import type { Kysely } from 'kysely';
import { randomInt } from 'node:crypto';
import { registry } from '../../core/events/registry.ts';
import { connectPostgres } from '../../core/clients/postgres.ts';
import type { Database } from '../../core/database/tables.ts';
import { compareReports } from '../checker/compare-reports.ts';
import { type Activity, type Rest, awaitRest } from '../checker/at-rest.ts';
import { type CheckReport, checkRun } from '../checker/check.ts';
import { effectiveEvents } from '../checker/effective-events.ts';
import { type Contact, readDatabase } from '../checker/read-database.ts';
import { readOpen } from '../checker/read-open.ts';
import { drainDeadLetters } from '../checker/read-dead-letters.ts';
import { readMessages } from '../checker/read-messages.ts';
import { readNetworkLog } from '../checker/read-network-log.ts';
import type { Report } from '../checker/report-money.ts';
import { planAds } from '../load/ad-plans.ts';
import { type AskedAdObject, advertise, openAdvertisers } from '../load/advertise.ts';
import { generateLoad } from '../load/generate.ts';
import type { LoadEvent, SentEvent } from '../load/load-event.ts';
import { monthBefore } from '../load/month-before.ts';
import { contactsOf, prepareShops, shopsOf } from '../load/prepare-shops.ts';
import { readFigures } from '../load/read-figures.ts';
import { sendLoad } from '../load/send.ts';
import { databaseName } from './database.ts';
import type { OnceResult } from './once-result.ts';
import type { StartOptions } from './options.ts';
import { type Progress, thousands } from './progress.ts';
import { keyringOf } from './process-environment.ts';
import type { RunningStack } from './stack.ts';

/** Longer than an unknown outcome of a call waits to be looked up, which is lease and deadline together. */
const stallMs = 180_000;
const reportEveryMs = 2_000;
const findingsShown = 20;

/**
 * Sends a month of shops' lives and waits until everything rests, then closes the month and waits again: an invoice is made of
 * what was known when it was. At the end the checker compares what was sent with what the stores hold.
 */
export async function runOnce(
  stack: RunningStack,
  options: Pick<StartOptions, 'events' | 'merchants' | 'seed'>,
  progress: Progress,
  signal: AbortSignal,
): Promise<OnceResult> {
  const seed = options.seed ?? randomInt(2 ** 31);
  const { workers, redisUrl } = stack.describe();
  progress.note(`workers ${workers.map(({ pid }) => pid).join(', ')}, Redis ${redisUrl}, seed ${seed}`);
  const month = monthBefore(Date.now());
  const spanMs = month.endMs - month.startMs;
  const load = [
    ...generateLoad({
      ...options,
      seed,
      startMs: month.startMs,
      timeOf: (n) => month.startMs + Math.floor((n * spanMs) / options.events),
      closes: month.name,
    }),
  ];
  const plans = planAds(shopsOf(load), { ...options, seed });
  const appsUrl = `${stack.describe().adNetworkUrl}/apps`;
  const keys = await progress.step('shops', () =>
    withOwner(stack, async (db) => {
      const settings = { startMs: month.startMs, nowMs: Date.now(), appsUrl, keyring: keyringOf(stack.secrets) };
      await prepareShops(db, load, settings);
      return await openAdvertisers(db, plans, settings.nowMs);
    }),
  );
  const startedAtMs = Date.now();
  const say = atMostEvery(reportEveryMs, progress);
  const sent: SentEvent[] = [];
  const sendPart = async (what: string, part: readonly LoadEvent[]): Promise<void> => {
    const acknowledged = await progress.step(
      `sending ${what}`,
      () =>
        sendLoad(part, {
          ...stack.clients,
          ...stack.addresses,
          signal,
          onSent: (count) => say(`sent ${thousands(count)} of ${thousands(part.length)}`),
        }),
      (all) => `sent ${thousands(all.length)} messages of ${what}`,
    );
    sent.push(...acknowledged);
    signal.throwIfAborted();
  };
  const settle = async (): Promise<Rest> => {
    const expected = new Set(sent.filter(({ isPoison }) => isPoison !== true).map(({ event }) => event.eventId)).size;
    return await progress.step(
      'settling',
      () =>
        awaitRest(stack.reader.db, {
          sent: expected,
          queued: () => messagesQueued(stack),
          onProgress: (activity) => say(describeActivity(activity, expected)),
          stallMs,
          signal,
        }),
      ({ at, activity }) => (at === 'rest' ? 'everything rests' : `stalled: ${describeActivity(activity, expected)}`),
    );
  };
  const useAds = async (): Promise<AskedAdObject[]> => {
    const { gatewayUrl } = stack.describe();
    const asked = await advertise(plans, { gatewayUrl, keys, signal });
    progress.note(`${plans.length} shops have asked for ${asked.length} ad sets and ads`);
    await withOwner(stack, (db) => readFigures(db, [...keys.keys()], signal));
    return asked;
  };
  const wholeMonth = load.filter(({ isClosing }) => isClosing !== true);
  const [askedAdObjects] = await Promise.all([useAds(), sendPart('a month', wholeMonth)]);
  let rest = await settle();
  if (rest.at === 'rest') {
    await sendPart(
      `the billing of ${month.name}`,
      load.filter(({ isClosing }) => isClosing === true),
    );
    rest = await settle();
  }
  if (rest.at === 'stall') for (const line of await readOpen(stack.reader.db)) progress.note(`open: ${line}`);
  const { report, reports } = await progress.step('checking', () =>
    check(stack, sent, { contacts: contactsOf(load), askedAdObjects }),
  );
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
  { contacts, askedAdObjects }: { contacts: readonly Contact[]; askedAdObjects: readonly AskedAdObject[] },
): Promise<{ report: CheckReport; reports: Record<string, Report> }> {
  const names = [...registry.values()].map(({ deadLetterQueue }) => deadLetterQueue);
  const deadLetterQueues = Object.fromEntries(names.map((name) => [name, stack.addresses.queueUrl(name)]));
  const { adNetworkUrl } = stack.describe();
  const { db } = stack.reader;
  const evidence = {
    ...(await readDatabase(db, contacts)),
    deadLetters: await drainDeadLetters(stack.clients.sqs, deadLetterQueues),
    askedAdObjects,
    calls: await readNetworkLog(adNetworkUrl),
    messages: await readMessages(adNetworkUrl),
  };
  return {
    report: checkRun(sent, evidence),
    reports: await compareReports(effectiveEvents(sent, evidence), db, keyringOf(stack.secrets)),
  };
}

async function withOwner<T>(stack: RunningStack, work: (db: Kysely<Database>) => Promise<T>): Promise<T> {
  const owner = connectPostgres({
    url: stack.servers.postgres.current.url('postgres', stack.secrets.superuserPassword, databaseName),
    poolSize: 1,
    applicationName: 'laneway-once',
    statementTimeoutMs: 60_000,
    idleInTransactionTimeoutMs: 60_000,
  });
  try {
    return await work(owner.db);
  } finally {
    await owner.close();
  }
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
