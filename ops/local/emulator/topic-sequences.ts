import { DedupeWindow } from './dedupe-window.ts';
import type { SnsTopic } from './fauxqs-internals.ts';

/** What a FIFO topic remembers besides its subscriptions. */
export interface TopicSequence {
  readonly dedupe: DedupeWindow;
  last: number;
}

const sequences = new WeakMap<SnsTopic, TopicSequence>();

export function sequenceOf(topic: SnsTopic): TopicSequence {
  const sequence = sequences.get(topic) ?? { dedupe: new DedupeWindow(), last: 0 };
  sequences.set(topic, sequence);
  return sequence;
}

/** 20 digits, growing. The leading 1 tells them from the sequence numbers of queues. */
export function nextSequenceNumber(sequence: TopicSequence): string {
  sequence.last += 1;
  return `1${String(sequence.last).padStart(19, '0')}`;
}
