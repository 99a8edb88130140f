import {
  type AttributeValue,
  BatchGetItemCommand,
  BatchWriteItemCommand,
  type DynamoDBClient,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb';
import { hash } from 'node:crypto';
import type { Clock } from '../core/runtime/clock.ts';
import { withDeadline } from '../core/runtime/deadline.ts';
import { type Log, onceWhileFailing } from '../core/runtime/log.ts';

/**
 * The long memory: a mark in DynamoDB for every accepted event, kept for longer than Postgres keeps rows. A mark alone
 * never decides that something is dropped, since Postgres may have been restored to a time before it: see confirm-marks.ts.
 *
 *   asking ─► away (a lookup failed or took too long) ─► asking again after 5 s
 *
 * While it is away the answer is "nothing known": lanes go on, and `accepted` in Postgres still knows what is recent.
 */
export interface Dedupe {
  /** Marks of those that have one, by the very objects given. Never rejects. */
  lookup<E extends MarkedEvent>(events: readonly E[]): Promise<ReadonlyMap<E, Mark>>;
  /**
   * Writes marks in the background, after the commit that they speak of. Beyond a bound they are dropped: a missing mark
   * costs memory of the far past, waiting for it would cost the pace of the present.
   */
  mark(entries: readonly NewMark[]): void;
  /** Resolves when each of these has a mark. Rejects when that is not certain: Postgres must then keep its row. */
  remember: (entries: readonly NewMark[]) => Promise<void>;
  /** Resolves when every mark is written or given up. */
  flush(): Promise<void>;
}

export interface MarkedEvent {
  merchantId: string;
  eventId: string;
}

export interface Mark {
  mseq: number;
  acceptedAtMs: number;
  bodyHmac: Buffer;
}

export type NewMark = MarkedEvent & Mark;

export interface DedupeOptions {
  dynamodb: DynamoDBClient;
  table: string;
  clock: Clock;
  log: Log;
  /** Days for which a mark counts. */
  dedupeDays: number;
}

const KEYS_PER_READ = 100;
const ITEMS_PER_WRITE = 25;
const WRITE_ROUNDS = 4;
const WRITES_AT_ONCE = 16;
const LOOKUP_DEADLINE_MS = 500;
const WRITE_DEADLINE_MS = 5_000;
const AWAY_MS = 5_000;
const MAX_PENDING_MARKS = 10_000;
const DAY_MS = 86_400_000;

/** Hashed: ids may be longer than a key may be, and may hold anything that a separator could be. */
const markKey = ({ merchantId, eventId }: MarkedEvent): string =>
  hash('sha256', JSON.stringify([merchantId, eventId]), 'base64url');

export function createDedupe({ dynamodb, table, clock, log, dedupeDays }: DedupeOptions): Dedupe {
  const reading = onceWhileFailing(log, 'looking up marks in DynamoDB');
  const writing = onceWhileFailing(log, 'writing marks to DynamoDB');
  const pending = new Set<Promise<void>>();
  let waiting: NewMark[] = [];
  let pendingMarks = 0;
  let askAgainAt = 0;

  const read = async (keys: readonly string[]): Promise<[string, Mark][]> => {
    const { Responses } = await withDeadline('looking up marks', LOOKUP_DEADLINE_MS, (abortSignal) =>
      dynamodb.send(
        new BatchGetItemCommand({ RequestItems: { [table]: { Keys: keys.map((pk) => ({ pk: { S: pk } })) } } }),
        { abortSignal },
      ),
    );
    // Keys that were not processed stay unknown, like those of a DynamoDB that is away.
    return (Responses?.[table] ?? []).flatMap((item) => {
      const mark = fromItem(item, clock.now());
      return mark === undefined ? [] : [mark];
    });
  };

  const readAll = async (keys: ReadonlySet<string>): Promise<ReadonlyMap<string, Mark>> =>
    new Map((await Promise.all(chunksOf([...keys], KEYS_PER_READ).map(read))).flat());

  const write = async (requests: readonly WriteRequest[]): Promise<void> => {
    let left: WriteRequest[] = [...requests];
    for (let round = 0; round < WRITE_ROUNDS; round++) {
      if (round > 0) await clock.sleep(50 * 2 ** round);
      const { UnprocessedItems } = await withDeadline('writing marks', WRITE_DEADLINE_MS, (abortSignal) =>
        dynamodb.send(new BatchWriteItemCommand({ RequestItems: { [table]: left } }), { abortSignal }),
      );
      left = UnprocessedItems?.[table] ?? [];
      if (left.length === 0) return;
    }
    throw new Error(`${left.length} marks were not taken`);
  };

  const put = async (entries: readonly NewMark[]): Promise<void> => {
    // One request must not name a key twice.
    const byKey = new Map(entries.map((entry) => [markKey(entry), entry]));
    const requests = [...byKey].map(([pk, entry]): WriteRequest => ({
      PutRequest: { Item: toItem(pk, entry, dedupeDays) },
    }));
    await Promise.all(chunksOf(requests, ITEMS_PER_WRITE).map(write));
  };

  const writeAll = async (entries: readonly NewMark[]): Promise<void> => {
    try {
      await put(entries);
      writing.ok();
    } catch (error) {
      writing.failing(error);
    }
  };

  /** A request costs the same for one mark as for 25: one that is not full goes only when no other is under way. */
  const startWrites = (): void => {
    if (waiting.length === 0 || pending.size >= WRITES_AT_ONCE) return;
    if (waiting.length < ITEMS_PER_WRITE && pending.size > 0) return;
    const entries = waiting.slice(0, ITEMS_PER_WRITE);
    waiting = waiting.slice(ITEMS_PER_WRITE);
    const task = writeAll(entries).finally(() => {
      pendingMarks -= entries.length;
      pending.delete(task);
      startWrites();
    });
    pending.add(task);
    startWrites();
  };

  return {
    async lookup(events) {
      if (events.length === 0 || clock.now() < askAgainAt) return new Map();
      const keys = events.map(markKey);
      try {
        const marks = await readAll(new Set(keys));
        reading.ok();
        return new Map(
          events.flatMap((event, i) => {
            const mark = marks.get(keys[i] ?? '');
            return mark === undefined ? [] : [[event, mark] as const];
          }),
        );
      } catch (error) {
        askAgainAt = clock.now() + AWAY_MS;
        reading.failing(error);
        return new Map();
      }
    },
    mark(entries) {
      if (entries.length === 0) return;
      if (pendingMarks + entries.length > MAX_PENDING_MARKS) {
        writing.failing(new Error(`${pendingMarks} marks are already waiting`));
        return;
      }
      pendingMarks += entries.length;
      waiting.push(...entries);
      startWrites();
    },
    async remember(entries) {
      // A read costs half of a write, and nearly all of them are there.
      const keys = entries.map(markKey);
      const found = await readAll(new Set(keys));
      await put(entries.filter((_, i) => !found.has(keys[i] ?? '')));
    },
    async flush() {
      while (pending.size > 0) await Promise.all(pending);
    },
  };
}

const toItem = (pk: string, mark: NewMark, dedupeDays: number): Record<string, AttributeValue> => ({
  pk: { S: pk },
  mseq: { N: String(mark.mseq) },
  acceptedAtMs: { N: String(mark.acceptedAtMs) },
  bodyHmac: { B: mark.bodyHmac },
  expiresAtSeconds: { N: String(Math.ceil((mark.acceptedAtMs + dedupeDays * DAY_MS) / 1_000)) },
});

/** DynamoDB deletes what expired within days, not at once: until then it must not count. */
function fromItem(item: Record<string, AttributeValue>, now: number): [string, Mark] | undefined {
  const { pk, mseq, acceptedAtMs, bodyHmac, expiresAtSeconds } = item as Partial<typeof item>;
  if (pk?.S === undefined || bodyHmac?.B === undefined) return undefined;
  if (Number(expiresAtSeconds?.N) * 1_000 <= now) return undefined;
  return [pk.S, { mseq: Number(mseq?.N), acceptedAtMs: Number(acceptedAtMs?.N), bodyHmac: Buffer.from(bodyHmac.B) }];
}

const chunksOf = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
