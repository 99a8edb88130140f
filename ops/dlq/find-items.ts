import type { SQSClient } from '@aws-sdk/client-sqs';
import type { Kysely } from 'kysely';
import type { Database } from '../../core/database/tables.ts';
import type { Registry } from '../../core/events/registry.ts';
import { type HeldMessage, browse, messageItem } from './browse.ts';
import { type AcceptedItem, type DeadItem, type ItemFilter, keyOf, matches, stagesBeforeAcceptance } from './items.ts';
import { readDeadItems } from './read-dead.ts';

export type Listed = DeadItem & {
  /** Whether its letter was seen in the DLQ; null where not all of the queue was seen. */
  inQueue: boolean | null;
};

export interface Letters {
  queue: string;
  /** Messages that were looked at, and whether there may be more. */
  seen: number;
  partial: boolean;
}

/** What one command looks at in each DLQ. */
export const MESSAGES_CONSIDERED = 500;

export interface FindDependencies {
  db: Kysely<Database>;
  sqs: SQSClient;
  registry: Registry;
  queueUrl(name: string): string;
}

/** What the DLQs of a filter hold. */
export interface Seen {
  letters: readonly Letters[];
  /** What was never accepted. */
  messages: readonly Listed[];
  /** Says of an accepted item whether its letter lies there. */
  listed: (item: AcceptedItem) => Listed;
}

export async function lookIntoQueues(deps: FindDependencies, filter: ItemFilter): Promise<Seen> {
  const queues = new Set([...deps.registry.values()].map(({ deadLetterQueue }) => deadLetterQueue));
  const messages: HeldMessage[] = [];
  const letters: Letters[] = [];
  for (const queue of queues) {
    if (filter.queue !== undefined && queue !== filter.queue) continue;
    const browsed = await browse(deps.sqs, { queue, url: deps.queueUrl(queue), limit: MESSAGES_CONSIDERED });
    await browsed.handBack();
    messages.push(...browsed.messages);
    letters.push({ queue, seen: browsed.messages.length, partial: browsed.partial });
  }
  const seen = new Set(messages.map(letterKey));
  const partial = new Set(letters.filter((queue) => queue.partial).map(({ queue }) => queue));
  return {
    letters,
    messages: messages
      .filter(({ attributes: { handler } }) => handler === undefined || stagesBeforeAcceptance.includes(handler))
      .map((message): Listed => ({ ...messageItem(message), inQueue: true }))
      .filter((item) => matches(item, filter)),
    listed(item) {
      const found = seen.has(letterKey(item));
      return { ...item, inQueue: found || !partial.has(item.queue) ? found : null };
    },
  };
}

export interface Found {
  items: readonly Listed[];
  letters: readonly Letters[];
  /** True when the filter lets more through than these. */
  more: boolean;
  /** What `after` takes to go on; null at the end of what was accepted. */
  next: string | null;
}

/** From Postgres what was accepted, from the DLQs what was not, and of both whether a letter lies there. */
export async function findItems(deps: FindDependencies, filter: ItemFilter): Promise<Found> {
  const { limit, after } = filter;
  const page = await readDeadItems(deps.db, deps.registry, { filter, after, limit });
  const { letters, messages, listed } = await lookIntoQueues(deps, filter);
  const accepted = page.items.map(({ item }) => listed(item));
  if (page.more) return { items: accepted, letters, more: true, next: page.items.at(-1)?.place ?? null };
  const all = [...accepted, ...messages];
  return { items: all.slice(0, limit), letters, more: all.length > limit, next: null };
}

/** The one that an id names, wherever it stands among the others. */
export async function findItem(deps: FindDependencies, id: string): Promise<Listed | undefined> {
  const key = keyOf(id);
  if (key === undefined) return undefined;
  if (key.kind === 'message') {
    const { messages } = await lookIntoQueues(deps, { ...everything, queue: key.queue });
    return messages.find((message) => message.id === id);
  }
  const { merchantId } = key;
  const only = key.kind === 'handler' ? { mseq: key.mseq } : { destination: key.destination, objectKey: key.objectKey };
  const filter = { ...everything, merchantId, handler: key.kind === 'handler' ? key.handler : undefined };
  const { items } = await readDeadItems(deps.db, deps.registry, { filter, only, after: undefined, limit: 1 });
  const item = items[0]?.item;
  if (item === undefined) return undefined;
  return (await lookIntoQueues(deps, { ...everything, queue: item.queue })).listed(item);
}

const everything: ItemFilter = {
  ...{ queue: undefined, handler: undefined, merchantId: undefined, code: undefined, after: undefined },
  ...{ since: undefined, until: undefined, eventId: undefined, limit: 1 },
};

function letterKey(from: HeldMessage | DeadItem): string {
  const handler = 'handler' in from ? from.handler : from.attributes['handler'];
  return JSON.stringify([from.queue, from.merchantId, from.eventId, handler]);
}
