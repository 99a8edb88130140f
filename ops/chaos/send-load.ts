import { ChangeMessageVisibilityBatchCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunningStack } from '../local/stack.ts';
import type { LoadEvent } from '../load/load-event.ts';
import { sendLoad } from '../load/send.ts';
import { repeatOf } from './generate-events.ts';
import { chaosEvents, chaosRegistry } from './registry.ts';

const sliceMs = 250;
/** What a repetition of messages sends again. */
const remembered = 100;
const heldPerQueue = 50;

/** Plays the producers of a run, and consumers that get in the way. */
export interface Producers {
  /** What was sent and acknowledged, in that order, repetitions included. */
  readonly sent: readonly LoadEvent[];
  sendPaced(load: readonly LoadEvent[], rate: number, onSent: (count: number) => void): Promise<void>;
  repeatMessages(): Promise<void>;
  holdMessages(forMs: number): Promise<void>;
}

export function createProducers({ clients, addresses }: RunningStack, signal: AbortSignal): Producers {
  const sent: LoadEvent[] = [];
  let repetitions = 0;
  const send = async (loads: readonly LoadEvent[]) => {
    const target = { ...clients, queues: addresses.queues, topics: addresses.topics };
    sent.push(...(await sendLoad(loads, { ...target, registry: chaosRegistry, signal })));
  };

  const hold = async (queueUrl: string, forMs: number): Promise<void> => {
    const seconds = Math.ceil(forMs / 1_000) + 1;
    const handles: string[] = [];
    // A receive that fails because of another fault holds nothing, which is all right.
    for (let tries = 0; tries < heldPerQueue / 10; tries++) {
      const { Messages = [] } = await clients.sqs
        .send(new ReceiveMessageCommand({ QueueUrl: queueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: seconds }))
        .catch(() => ({ Messages: [] }));
      handles.push(...Messages.flatMap(({ ReceiptHandle }) => ReceiptHandle ?? []));
    }
    await delay(forMs, undefined, { signal });
    for (let from = 0; from < handles.length; from += 10) {
      const Entries = handles
        .slice(from, from + 10)
        .map((ReceiptHandle, index) => ({ Id: String(index), ReceiptHandle, VisibilityTimeout: 0 }));
      await clients.sqs
        .send(new ChangeMessageVisibilityBatchCommand({ QueueUrl: queueUrl, Entries }))
        .catch(() => undefined);
    }
  };

  return {
    sent,
    async sendPaced(load, rate, onSent) {
      const perSlice = Math.max(1, Math.round((rate * sliceMs) / 1_000));
      for (let from = 0; from < load.length; from += perSlice) {
        // What one slice could not send yet goes before the next one: order is the producer's.
        await Promise.all([send(load.slice(from, from + perSlice)), delay(sliceMs, undefined, { signal })]);
        onSent(Math.min(load.length, from + perSlice));
      }
    },
    async repeatMessages() {
      repetitions += 1;
      const label = `repeat-${repetitions}`;
      const originals = sent.filter(({ resendOf }) => resendOf === undefined).slice(-remembered);
      await send(originals.map((load) => repeatOf(load, label)));
    },
    async holdMessages(forMs) {
      const queues = new Set(chaosEvents.map(({ queue }) => addresses.queueUrl(queue)));
      await Promise.all([...queues].map((url) => hold(url, forMs)));
    },
  };
}
