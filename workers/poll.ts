import { type Message, ReceiveMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { QueueTopology } from '../core/events/topology.ts';
import type { Clock } from '../core/runtime/clock.ts';
import { newId } from '../core/runtime/ids.ts';
import { type Log, onceWhileFailing } from '../core/runtime/log.ts';
import { type InFlight, createInFlight } from './in-flight.ts';
import { backoffMs } from '../core/runtime/retry.ts';

export type PollerState = 'idle' | 'polling' | 'holding' | 'backing-off' | 'stopping' | 'stopped';

export interface PollerOptions {
  queue: QueueTopology;
  queueUrl: string;
  sqs: SQSClient;
  /** Receives that are open at a time. */
  receives: number;
  waitSeconds: number;
  visibilitySeconds: number;
  handleBatch: (messages: readonly Message[]) => Promise<unknown>;
  /** False while nothing new may come in: Postgres away, Redis nearly full. Processing goes on. */
  mayPoll: () => boolean | Promise<boolean>;
  log: Log;
  clock: Clock;
  /** In [0, 1). */
  random?: () => number;
  /** Messages received and not yet handled, beyond which no receive is begun. */
  maxInFlight?: number;
  maxInFlightBytes?: number;
  /** Counts what all pollers of this process have in flight. */
  shared?: InFlight;
  /** How long a stop waits for open receives to end by themselves. */
  stopGraceMs?: number;
}

const HOLD_MS = 500;
const RECEIVE_BACKOFF = { retries: 0, baseMs: 500, capMs: 30_000 };

/**
 * Receives from one queue and hands batches on, several at a time.
 *
 *   idle ──start──► polling ◄─► holding      (`mayPoll` says no, or too much is in flight)
 *                      ▲
 *                      └──────► backing-off  (a receive failed; ends with the first that works)
 *   any of these ──stop──► stopping ──► stopped
 *
 * A stop begins no further receive and wakes whoever waits between two. Receives that are open get `stopGraceMs` to end by
 * themselves, what they bring is handled, and only then they are aborted: SQS may hand messages to a receive whose client
 * has gone, and those stay invisible, their groups locked, until the visibility timeout. That costs time, never a message.
 */
export class Poller {
  readonly queueName: string;
  /** Epoch milliseconds of the last receive that SQS answered, with messages or without. */
  lastReceiveAt: number | undefined;
  readonly #options: Required<Omit<PollerOptions, 'shared' | 'maxInFlight' | 'maxInFlightBytes'>>;
  readonly #own: InFlight;
  /** Where a batch counts: here, and among all pollers of the process. */
  readonly #counts: readonly InFlight[];
  readonly #trouble: ReturnType<typeof onceWhileFailing>;
  readonly #stopping = new AbortController();
  readonly #abandon = new AbortController();
  readonly #batches = new Set<Promise<void>>();
  #phase: 'idle' | 'running' | 'stopping' | 'stopped' = 'idle';
  #loops: Promise<void>[] = [];
  #failures = 0;
  #holding = 0;

  constructor(options: PollerOptions) {
    const { maxInFlight: maxMessages = 800, maxInFlightBytes: maxBytes = 67_108_864, shared } = options;
    this.#options = { random: Math.random, stopGraceMs: 5_000, ...options };
    this.#own = createInFlight({ maxMessages, maxBytes });
    this.#counts = shared === undefined ? [this.#own] : [this.#own, shared];
    this.queueName = options.queue.name;
    this.#trouble = onceWhileFailing(options.log, `receiving from ${options.queue.name}`);
  }

  get state(): PollerState {
    if (this.#phase !== 'running') return this.#phase;
    if (this.#failures > 0) return 'backing-off';
    return this.#holding === this.#loops.length ? 'holding' : 'polling';
  }

  /** Messages received and not yet handled. */
  get inFlight(): number {
    return this.#own.messages;
  }

  start(): void {
    if (this.#phase !== 'idle') throw new Error(`the poller of ${this.queueName} was started before`);
    this.#phase = 'running';
    this.#loops = Array.from({ length: this.#options.receives }, () => this.#loop());
  }

  /** Resolves when no receive is open and every batch is handled. */
  async stop(): Promise<void> {
    if (this.#phase !== 'stopped') this.#phase = 'stopping';
    this.#stopping.abort();
    const ended = new AbortController();
    const { clock, stopGraceMs } = this.#options;
    const grace = clock.sleep(stopGraceMs, ended.signal).then(() => {
      if (!ended.signal.aborted) this.#abandon.abort();
    });
    await Promise.all(this.#loops);
    ended.abort();
    await grace;
    await Promise.all(this.#batches);
    this.#phase = 'stopped';
  }

  async #loop(): Promise<void> {
    const { clock, random, queue, log } = this.#options;
    const stop = this.#stopping.signal;
    // SQS answers a repeated receive of a FIFO queue with the same messages, when the first answer was lost on its way:
    // they would otherwise lock their groups until the visibility timeout.
    let attemptId = newId();
    while (!stop.aborted) {
      try {
        if (!(await this.#mayReceive())) continue;
        const messages = await this.#receive(queue.fifo ? attemptId : undefined);
        attemptId = newId();
        this.lastReceiveAt = clock.now();
        this.#failures = 0;
        this.#trouble.ok();
        if (messages.length > 0) this.#handle(messages);
      } catch (error) {
        if (stop.aborted) {
          log.debug('a receive was ended by the stop', { queue: queue.name });
          return;
        }
        this.#failures += 1;
        this.#trouble.failing(error);
        await clock.sleep(backoffMs(this.#failures, RECEIVE_BACKOFF, random()), stop);
      }
    }
  }

  /** False after a wait: whatever was the matter is then looked at again. */
  async #mayReceive(): Promise<boolean> {
    const { clock, mayPoll } = this.#options;
    const full = this.#counts.find((count) => count.full);
    if (full === undefined && (await mayPoll())) return !this.#stopping.signal.aborted;
    this.#holding += 1;
    if (full !== undefined) await full.change(this.#stopping.signal);
    else await clock.sleep(HOLD_MS, this.#stopping.signal);
    this.#holding -= 1;
    return false;
  }

  async #receive(attemptId: string | undefined): Promise<readonly Message[]> {
    const { sqs, queueUrl, waitSeconds, visibilitySeconds } = this.#options;
    const { Messages } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: 10,
        WaitTimeSeconds: waitSeconds,
        VisibilityTimeout: visibilitySeconds,
        MessageSystemAttributeNames: [
          'ApproximateReceiveCount',
          'ApproximateFirstReceiveTimestamp',
          'MessageGroupId',
          'AWSTraceHeader',
        ],
        MessageAttributeNames: ['All'],
        ...(attemptId === undefined ? {} : { ReceiveRequestAttemptId: attemptId }),
      }),
      { abortSignal: this.#abandon.signal },
    );
    return Messages ?? [];
  }

  #handle(messages: readonly Message[]): void {
    const bytes = messages.reduce((sum, message) => sum + Buffer.byteLength(message.Body ?? ''), 0);
    const ends = this.#counts.map((count) => count.begin(messages.length, bytes));
    const { handleBatch, log, queue } = this.#options;
    const batch = Promise.resolve()
      .then(() => handleBatch(messages))
      .catch((error: unknown) => {
        // They come again after their visibility timeout.
        log.error('a batch was not handled', {
          queue: queue.name,
          error: error instanceof Error ? error.message : String(error),
        });
      })
      .then(() => {
        this.#batches.delete(batch);
        for (const end of ends) end();
      });
    this.#batches.add(batch);
  }
}

export const createPoller = (options: PollerOptions): Poller => new Poller(options);
