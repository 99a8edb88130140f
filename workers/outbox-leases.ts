import { randomInt } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import { OUTBOX_SHARDS } from '../core/database/outbox.ts';
import type { Database } from '../core/database/tables.ts';

/**
 * Which shards of the outbox a relay publishes. A lease is a row per shard with an owner token; all times are the
 * database's, so that relays need not agree on theirs.
 *
 *   free, expired ──take──► ours ──over the fair share──► leaving ──nothing under way──► free
 *                            └──not renewed in time──► expired
 *
 * Each relay also has a row of its own under a negative number, by which the others count who is alive: a relay that found
 * every shard taken would be invisible otherwise, and never get its share.
 */
export interface ShardLeases {
  readonly owner: string;
  /** What may be sent from now: empty once the last renewal is a lease old. */
  shards(): readonly number[];
  /**
   * Renews, takes what is free up to a fair share, and leaves what is over it. A shard that is left is not sent from any
   * more, and is given back by the first call that does not find it in `inFlight`: with a send under way it would be in two
   * hands at once.
   */
  tend(inFlight: ReadonlySet<number>): Promise<void>;
  /** Renews only; safe at any time. */
  renew(): Promise<void>;
  release(): Promise<void>;
}

export function createShardLeases(options: {
  db: Kysely<Database>;
  owner: string;
  worker: string;
  leaseMs: number;
}): ShardLeases {
  const { db, owner, worker, leaseMs } = options;
  const presence = -1 - randomInt(2 ** 31 - 1);
  const expiry = sql`now() + ${leaseMs} * interval '1 millisecond'`;
  let owned: readonly number[] = [];
  let leaving: readonly number[] = [];
  let heldUntil = 0;
  let last: Promise<void> = Promise.resolve();

  /** One after the other: a renewal that read before a shard was given back would bring it back afterwards. */
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };

  const renew = async () => {
    const asked = performance.now();
    const { rows } = await sql<{ shard: number }>`
      with announced as (
        insert into relay_leases as l (shard, owner, worker, expires_at) values (${presence}, ${owner}, ${worker}, ${expiry})
        on conflict (shard) do update set expires_at = excluded.expires_at
      )
      update relay_leases set expires_at = ${expiry} where owner = ${owner} and shard >= 0 returning shard
    `.execute(db);
    owned = rows.map((row) => row.shard).toSorted((a, b) => a - b);
    heldUntil = asked + leaseMs;
  };

  const fairShare = async (): Promise<number> => {
    const { rows } = await sql<{ relays: number }>`
      select count(distinct owner) as relays from relay_leases where shard < 0 and expires_at > now()
    `.execute(db);
    return Math.ceil(OUTBOX_SHARDS / Math.max(1, rows[0]?.relays ?? 1));
  };

  const giveBack = async (shards: readonly number[]) => {
    await sql`delete from relay_leases where owner = ${owner} and shard = any(${shards}::int[])`.execute(db);
    owned = owned.filter((shard) => !shards.includes(shard));
  };

  const take = async (count: number) => {
    const { rows } = await sql<{ shard: number }>`
      insert into relay_leases as l (shard, owner, worker, expires_at)
      select free.shard, ${owner}, ${worker}, ${expiry} from generate_series(0, ${OUTBOX_SHARDS - 1}::int) as free (shard)
      where not exists (select from relay_leases held where held.shard = free.shard and held.expires_at > now())
      order by free.shard limit ${count}
      on conflict (shard) do update set owner = excluded.owner, worker = excluded.worker, expires_at = excluded.expires_at
        where l.expires_at <= now()
      returning shard
    `.execute(db);
    owned = [...owned, ...rows.map((row) => row.shard)].toSorted((a, b) => a - b);
  };

  const tend = async (inFlight: ReadonlySet<number>) => {
    await renew();
    const share = await fairShare();
    leaving = owned.slice(share);
    const free = leaving.filter((shard) => !inFlight.has(shard));
    if (free.length > 0) await giveBack(free);
    if (owned.length < share) await take(share - owned.length);
    await sql`delete from relay_leases where shard < 0 and expires_at < now() - interval '1 minute'`.execute(db);
  };

  return {
    owner,
    shards: () => (performance.now() < heldUntil ? owned.filter((shard) => !leaving.includes(shard)) : []),
    renew: () => inTurn(renew),
    tend: (inFlight) => inTurn(() => tend(inFlight)),
    release: () =>
      inTurn(async () => {
        await sql`delete from relay_leases where owner = ${owner}`.execute(db);
        owned = [];
      }),
  };
}
