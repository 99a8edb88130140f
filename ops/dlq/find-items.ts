import type { SQSClient } from '@aws-sdk/client-sqs';
import type { Kysely } from 'kysely';
import type { Database } from '../../core/database/tables.ts';
import type { Registry } from '../../core/events/registry.ts';
import { type HeldMessage, browse, messageItem } from './browse.ts';
import { type DeadItem, type ItemFilter, matches, stagesBeforeAcceptance } from './items.ts';
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

interface FindDependencies {
  db: Kysely<Database>;
  sqs: SQSClient;
  registry: Registry;
  queueUrl(name: string): string;
}

/** From Postgres what was accepted, from the DLQs what was not, and of both whether a letter lies there. */
export async function findItems(
  deps: FindDependencies,
  filter: ItemFilter,
): Promise<{ items: readonly Listed[]; letters: readonly Letters[] }> {
  const dead = await readDeadItems(deps.db, deps.registry, filter);
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
  const accepted = dead.map((item): Listed => {
    const found = seen.has(letterKey(item));
    return { ...item, inQueue: found || !partial.has(item.queue) ? found : null };
  });
  const undecodable = messages
    .filter(({ attributes: { handler } }) => handler === undefined || stagesBeforeAcceptance.includes(handler))
    .map((message): Listed => ({ ...messageItem(message), inQueue: true }))
    .filter((item) => matches(item, filter));
  return { items: [...accepted, ...undecodable].slice(0, filter.limit), letters };
}

function letterKey(from: HeldMessage | DeadItem): string {
  const handler = 'handler' in from ? from.handler : from.attributes['handler'];
  return JSON.stringify([from.queue, from.merchantId, from.eventId, handler]);
}
