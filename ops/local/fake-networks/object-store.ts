import { join } from 'node:path';
import { z } from 'zod';
import { openJournal } from './journal.ts';

export const networks = ['google_ads', 'meta', 'tiktok'] as const;
export type Network = (typeof networks)[number];

export const objectKinds = ['campaign', 'ad_set', 'ad', 'audience', 'audience_members'] as const;
export type ObjectKind = (typeof objectKinds)[number];

/**
 * A call that took effect, in words that all networks share: `status` ACTIVE, PAUSED or ENDED, `dailyBudgetMinor` in minor
 * units. Whoever checks the product reads these and nothing else of this server.
 */
export const acceptedCall = z.object({
  n: z.int(),
  at: z.iso.datetime(),
  network: z.enum(networks),
  account: z.string(),
  kind: z.enum(objectKinds).default('campaign'),
  op: z.enum(['create', 'update']),
  id: z.string(),
  body: z.record(z.string(), z.unknown()),
});
export type AcceptedCall = z.infer<typeof acceptedCall>;

export interface Owner {
  readonly network: Network;
  readonly account: string;
}

export interface StoredObject extends Owner {
  readonly id: string;
  readonly kind: ObjectKind;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly fields: Readonly<Record<string, unknown>>;
}

/**
 * Objects of all networks and accounts. The journal of accepted calls is the only thing stored: objects are what replaying
 * it gives, so that log and state cannot disagree.
 */
export interface ObjectStore {
  readonly calls: readonly AcceptedCall[];
  create(owner: Owner, kind: ObjectKind, fields: Record<string, unknown>): StoredObject;
  /** Merges fields. Undefined when the account has no such object. */
  update(owner: Owner, id: string, fields: Record<string, unknown>): StoredObject | undefined;
  get(owner: Owner, id: string): StoredObject | undefined;
  /** On networks whose ids need no account. */
  find(network: Network, id: string): StoredObject | undefined;
  /** What a listing shows: an object that is younger than the network's lag is not in it yet. */
  list(owner: Owner, kind: ObjectKind): StoredObject[];
  /** From now on listings of the network, or of one account of it, lag this far behind. */
  setLag(lag: { network: Network; account?: string | undefined; ms: number }): void;
}

export function openObjectStore(dir: string): ObjectStore {
  const journal = openJournal(join(dir, 'calls.jsonl'), acceptedCall);
  const byNetwork = new Map<Network, Map<string, StoredObject>>();
  const lagMs = new Map<string, number>();
  const objectsOf = (network: Network): Map<string, StoredObject> => {
    const objects = byNetwork.get(network) ?? new Map<string, StoredObject>();
    byNetwork.set(network, objects);
    return objects;
  };
  const apply = ({ network, account, kind, id, at, body }: AcceptedCall): StoredObject => {
    const before = objectsOf(network).get(id);
    const atMs = Date.parse(at);
    const object: StoredObject =
      before === undefined
        ? { network, account, kind, id, fields: body, createdAtMs: atMs, updatedAtMs: atMs }
        : { ...before, fields: { ...before.fields, ...body }, updatedAtMs: atMs };
    objectsOf(network).set(id, object);
    return object;
  };
  const nextNumber = () => (journal.entries.at(-1)?.n ?? 0) + 1;
  const accept = (call: Pick<AcceptedCall, 'network' | 'account' | 'kind' | 'op' | 'id' | 'body'>): StoredObject => {
    const entry = { n: nextNumber(), at: new Date().toISOString(), ...call };
    journal.append(entry);
    return apply(entry);
  };
  const get = ({ network, account }: Owner, id: string) => {
    const found = objectsOf(network).get(id);
    return found?.account === account ? found : undefined;
  };
  for (const call of journal.entries) apply(call);

  return {
    calls: journal.entries,
    create: ({ network, account }, kind, body) =>
      accept({ network, account, kind, op: 'create', id: String(120_000_000_000 + nextNumber()), body }),
    update({ network, account }, id, body) {
      const found = get({ network, account }, id);
      return found && accept({ network, account, kind: found.kind, op: 'update', id, body });
    },
    get,
    find: (network, id) => objectsOf(network).get(id),
    list: ({ network, account }, kind) => {
      const visible = Date.now() - (lagMs.get(`${network}/${account}`) ?? lagMs.get(network) ?? 0);
      return [...objectsOf(network).values()].filter(
        (object) => object.account === account && object.kind === kind && object.createdAtMs <= visible,
      );
    },
    setLag: ({ network, account, ms }) => void lagMs.set(account === undefined ? network : `${network}/${account}`, ms),
  };
}

/** A field of an object as text; empty when it has none. */
export function textOf({ fields }: StoredObject, name: string): string {
  const value = fields[name];
  return typeof value === 'string' ? value : '';
}

/** The object and what it belongs to: an ad, its ad set, its campaign. */
export function lineageOf(store: Pick<ObjectStore, 'get'>, object: StoredObject): StoredObject[] {
  const parent = store.get(object, textOf(object, 'parentId'));
  return parent === undefined ? [object] : [object, ...lineageOf(store, parent)];
}

const settings = z.record(z.string(), z.unknown()).catch({});

/** A change of fields that a network does not look into here, beside those that the object held before. */
export const settingsChange = (held: StoredObject, fields: Record<string, unknown>): Record<string, unknown> =>
  Object.keys(fields).length === 0 ? {} : { settings: { ...settings.parse(held.fields['settings']), ...fields } };

export const numberOf = ({ fields }: StoredObject, name: string): number => Number(fields[name] ?? 0);
