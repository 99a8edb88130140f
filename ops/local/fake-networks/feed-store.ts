import { join } from 'node:path';
import { z } from 'zod';
import { openJournal } from './journal.ts';

/** A call that took effect on an item of a catalog. */
export const acceptedItem = z.object({
  n: z.int(),
  at: z.iso.datetime(),
  network: z.enum(['google_merchant', 'meta_catalog']),
  account: z.string(),
  op: z.enum(['put', 'remove']),
  item: z.string(),
  body: z.record(z.string(), z.unknown()),
});
export type AcceptedItem = z.infer<typeof acceptedItem>;

export interface Mood {
  /** How long after a call its effect shows. */
  showAfterMs: number;
  /** How many of the next calls are told that they are too many. */
  refuseNext: number;
}

type Place = Pick<AcceptedItem, 'network' | 'account'>;

/** Catalog items of all accounts: what replaying the journal of accepted calls gives. Items show some time after the call. */
export interface FeedStore {
  readonly calls: readonly AcceptedItem[];
  put(place: Place, item: string, body: AcceptedItem['body']): void;
  remove(place: Place, item: string): boolean;
  /** As it was put last, shown or not. */
  get(place: Place, item: string): { body: AcceptedItem['body']; shown: boolean } | undefined;
  /** Its behaviour towards one account. */
  mood(account: string): Mood;
}

export function openFeedStore(dir: string): FeedStore {
  const journal = openJournal(join(dir, 'feeds.jsonl'), acceptedItem);
  const held = new Map<string, AcceptedItem>();
  const keyOf = ({ network, account }: Place, item: string) => JSON.stringify([network, account, item]);
  const accept = (place: Place, op: AcceptedItem['op'], item: string, body: AcceptedItem['body']): void => {
    const call = { n: journal.entries.length + 1, at: new Date().toISOString(), ...place, op, item, body };
    journal.append(call);
    apply(call);
  };
  const apply = (call: AcceptedItem): void => {
    if (call.op === 'put') held.set(keyOf(call, call.item), call);
    else held.delete(keyOf(call, call.item));
  };
  for (const call of journal.entries) apply(call);
  const moods = new Map<string, Mood>();
  const mood = (account: string): Mood => {
    const known = moods.get(account) ?? { showAfterMs: 1_000, refuseNext: 0 };
    moods.set(account, known);
    return known;
  };
  return {
    calls: journal.entries,
    mood,
    put: (place, item, body) => accept(place, 'put', item, body),
    remove(place, item) {
      const known = held.has(keyOf(place, item));
      if (known) accept(place, 'remove', item, {});
      return known;
    },
    get(place, item) {
      const call = held.get(keyOf(place, item));
      if (call === undefined) return undefined;
      return { body: call.body, shown: Date.now() - Date.parse(call.at) >= mood(place.account).showAfterMs };
    },
  };
}
