import type { Message } from '@aws-sdk/client-sqs';
import type { Kysely } from 'kysely';
import type { Database } from '../core/database/tables.ts';
import type { Registry } from '../core/events/registry.ts';
import type { Keyring } from '../core/people/keyring.ts';
import { withDeadline } from '../core/runtime/deadline.ts';
import { createBodyHmac } from '../core/runtime/ids.ts';
import { type Log, onceWhileFailing } from '../core/runtime/log.ts';
import { requestRedrive } from '../core/operations/request-redrive.ts';
import type { AcceptableEvent } from './accept-rows.ts';
import { createAcknowledgements } from './acknowledge.ts';
import type { Verdict } from './admit.ts';
import { restoreBody } from './claim-check.ts';
import { type DeadLetterDependencies, type Undecodable, sendUndecodable } from './dead-letter.ts';
import { type Refusal, sortRefusals } from './await-release.ts';
import { decode } from './decode.ts';
import { type ReceivedMessage, toReceived } from './message.ts';
import { sealBodies } from './seal-bodies.ts';
import { type WakeEntry, wakeEntriesOf } from './wake-entries.ts';

export interface PipelineDependencies extends DeadLetterDependencies {
  queueUrl: string;
  registry: Registry;
  db: Kysely<Database>;
  /** Encrypts what is about people. */
  keyring?: Keyring | undefined;
  /** Key of the HMAC over received bytes. */
  hmacKey: string;
  admit: (events: readonly AcceptableEvent[]) => Promise<readonly Verdict[]>;
  /**
   * Adds pointers and activations, and answers with the merchants for which an activation certainly exists. Called with
   * every merchant of a batch, also for duplicates only: their first delivery may have ended between its commit and this.
   */
  wake: (entries: readonly WakeEntry[]) => Promise<readonly string[]>;
  wakeDeadlineMs?: number;
  /** In [0, 1). */
  random: () => number;
  log: Log;
}

/** What became of a batch; the figures add up to `received`, but for `redriven`, which are duplicates too. */
export interface BatchSummary {
  received: number;
  accepted: number;
  duplicates: number;
  deadLettered: number;
  redriven: number;
  /** Left in SQS, to come again. */
  putBack: number;
}

export interface Pipeline {
  /** Never rejects. */
  handleBatch: (messages: readonly Message[]) => Promise<BatchSummary>;
}

interface Offered {
  message: ReceivedMessage;
  event: AcceptableEvent;
}

/**
 * Takes one receive of a queue from messages to inbox rows. A message is deleted only after its event is committed and its
 * merchant woken, or after it lies in the DLQ; whatever fails is put back, and every step may happen again.
 *
 * A batch that outlives its visibility timeout is harmless and not extended: a second receiver finds its events accepted,
 * or accepts them first. Order holds too, since messages of one group are received again from the first one on.
 */
export function createPipeline(deps: PipelineDependencies): Pipeline {
  const { queue, registry, db, clock, log, hmacKey, wakeDeadlineMs = 10_000 } = deps;
  const acknowledge = createAcknowledgements(deps);
  const hmacOf = createBodyHmac(hmacKey);
  const trouble = {
    reading: onceWhileFailing(log, 'reading bodies that dead letters refer to'),
    sorting: onceWhileFailing(log, 'asking which versions are registered'),
    admitting: onceWhileFailing(log, 'accepting events'),
    deadLettering: onceWhileFailing(log, 'sending to the dead-letter queue'),
    redriving: onceWhileFailing(log, 'requesting redrives'),
    waking: onceWhileFailing(log, 'waking merchants'),
  };

  /** Reads messages as events; what is none becomes a dead letter. */
  const read = async (messages: readonly ReceivedMessage[]) => {
    const offered: Offered[] = [];
    const refusals: Refusal[] = [];
    const failed = await eachOf(messages, trouble.reading, async (message) => {
      const restored = await restoreBody(message, deps);
      if (!restored.ok) {
        refusals.push({ message, fault: { code: 'envelope.invalid', message: restored.reason } });
        return;
      }
      const decoded = decode(restored.message, queue, registry);
      if (decoded.ok) offered.push({ message, event: { ...decoded.event, bodyHmac: hmacOf(decoded.event.body) } });
      else refusals.push({ message, fault: decoded.fault });
    });
    // Bodies may be restored in any order; events are numbered in the order in which they were received.
    const order = new Map(messages.map((message, index) => [message, index]));
    offered.sort((a, b) => (order.get(a.message) ?? 0) - (order.get(b.message) ?? 0));
    return { offered, refusals, failed };
  };

  /**
   * Takes out what could not be read now or waits for another release, and what comes behind it in its group, which would
   * otherwise overtake it.
   */
  const leave = async (
    received: readonly ReceivedMessage[],
    { offered, refusals, failed }: Awaited<ReturnType<typeof read>>,
  ) => {
    try {
      const { waiting, refused } = await sortRefusals(deps, refusals);
      trouble.sorting.ok();
      if (waiting.length > 0) log.info('messages wait for a release that reads them', { messages: waiting.length });
      const left = new Set([...failed, ...waiting.map(({ message }) => message)]);
      const held = new Set<string>();
      for (const message of received) {
        const { groupId } = message;
        if (groupId !== undefined && held.has(groupId)) left.add(message);
        else if (groupId !== undefined && left.has(message)) held.add(groupId);
      }
      return {
        offered: offered.filter(({ message }) => !left.has(message)),
        letters: refused.filter(({ message }) => !left.has(message)).map(toLetter),
        left,
      };
    } catch (error) {
      trouble.sorting.failing(error);
      return { offered: [], letters: [], left: new Set(received) };
    }
  };

  const admit = async (offered: readonly Offered[]): Promise<readonly (Verdict | undefined)[]> => {
    try {
      const sealed = await sealBodies(
        { db, keyring: deps.keyring },
        offered.map(({ event }) => event),
        clock.now(),
      );
      const verdicts = await deps.admit(sealed);
      trouble.admitting.ok();
      return verdicts;
    } catch (error) {
      trouble.admitting.failing(error);
      return [];
    }
  };

  const sendLetters = (letters: readonly Undecodable[]) =>
    eachOf(letters, trouble.deadLettering, async (letter) => {
      await sendUndecodable(deps, letter);
      const { message, handler, code } = letter;
      // What a decoder says names paths only; what a database says may quote the event.
      const reason = handler === 'decode' ? { reason: letter.reason } : {};
      log.warn('message dead-lettered', { queue: queue.name, messageId: message.messageId, handler, code, ...reason });
    });

  /** Duplicates that somebody moved back from the DLQ. */
  const redrive = async (judged: readonly (Offered & { verdict: Verdict })[]) => {
    let redriven = 0;
    const movedBack = judged.flatMap(({ message, event, verdict }) =>
      verdict.status === 'duplicate' && event.redrive !== undefined
        ? [{ message, event, verdict, handler: event.redrive.handler }]
        : [],
    );
    const failed = await eachOf(movedBack, trouble.redriving, async ({ event, verdict, handler }) => {
      const { merchantId, eventId, messageId } = event;
      const { mseq, day } = verdict;
      const requested = await requestRedrive(db, { merchantId, eventId, messageId, mseq, day, handler }, clock.now());
      if (requested) redriven += 1;
      log.info(requested ? 'redrive requested by moving a message back' : 'moved back, but nothing to redrive', {
        merchantId,
        eventId,
        handler,
      });
    });
    return { redriven, failed: failed.map(({ message }) => message) };
  };

  const wake = async (entries: readonly WakeEntry[]): Promise<ReadonlySet<string>> => {
    if (entries.length === 0) return new Set();
    try {
      const woken = new Set(await withDeadline('waking merchants', wakeDeadlineMs, () => deps.wake(entries)));
      if (woken.size >= entries.length) trouble.waking.ok();
      else trouble.waking.failing(new Error(`${entries.length - woken.size} of ${entries.length} were not woken`));
      return woken;
    } catch (error) {
      trouble.waking.failing(error);
      return new Set();
    }
  };

  return {
    async handleBatch(messages) {
      const received = messages.map(toReceived);
      const { offered, letters, left } = await leave(received, await read(received));
      const verdicts = await admit(offered);
      const judged = offered.flatMap((each, i) => {
        const verdict = verdicts[i];
        return verdict === undefined ? [] : [{ ...each, verdict }];
      });
      const allLetters = [...letters, ...judged.flatMap(refusedByVerdict)];
      const [unsent, redrives] = await Promise.all([sendLetters(allLetters), redrive(judged)]);
      const woken = await wake(wakeEntriesOf(judged));

      const keep = new Set([...left, ...unsent.map(({ message }) => message), ...redrives.failed]);
      const judgedMessages = new Set(judged.map(({ message }) => message));
      const dead = new Set(allLetters.map(({ message }) => message));
      for (const { message, event } of offered) {
        if (dead.has(message)) continue;
        if (!judgedMessages.has(message) || !woken.has(event.merchantId)) keep.add(message);
      }
      const done = received.filter((message) => !keep.has(message));
      await Promise.all([acknowledge.delete(done), acknowledge.putBack([...keep])]);
      const count = (...statuses: Verdict['status'][]) =>
        judged.filter(({ message, verdict }) => !keep.has(message) && statuses.includes(verdict.status)).length;
      return {
        received: received.length,
        accepted: count('accepted'),
        duplicates: count('duplicate', 'forgotten'),
        deadLettered: done.filter((message) => dead.has(message)).length,
        redriven: redrives.redriven,
        putBack: keep.size,
      };
    },
  };
}

const toLetter = ({ message, fault: { code, message: reason, merchantId, correlationId } }: Refusal): Undecodable => ({
  message,
  handler: 'decode',
  code,
  reason,
  ...(merchantId === undefined ? {} : { merchantId }),
  ...(correlationId === undefined ? {} : { correlationId }),
});

function refusedByVerdict({ message, event, verdict }: Offered & { verdict: Verdict }): Undecodable[] {
  const { merchantId, correlationId } = event;
  switch (verdict.status) {
    case 'conflict': {
      const reason = 'eventId: another event of this merchant was accepted under this id, its bytes differ';
      return [{ message, handler: 'dedupe', code: 'dedupe.conflict', reason, merchantId, correlationId }];
    }
    case 'rejected':
      return [
        { message, handler: 'accept', code: 'accept.rejected', reason: verdict.reason, merchantId, correlationId },
      ];
    case 'accepted':
    case 'duplicate':
    case 'forgotten':
      return [];
    default:
      return verdict satisfies never;
  }
}

/** Runs `work` for each, side by side, and answers with those for which it failed. */
async function eachOf<T>(
  items: readonly T[],
  trouble: { failing(error: unknown): void; ok(): void },
  work: (item: T) => Promise<void>,
): Promise<T[]> {
  const results = await Promise.allSettled(items.map(work));
  const failed = items.filter((_, index) => results[index]?.status === 'rejected');
  const first = results.find((result) => result.status === 'rejected');
  if (first !== undefined) trouble.failing(first.reason);
  else if (items.length > 0) trouble.ok();
  return failed;
}
