import { type Kysely, sql } from 'kysely';
import type { Redis } from 'ioredis';
import { ensurePartitions } from '../core/database/migrate.ts';
import type { Database } from '../core/database/tables.ts';
import type { Clock } from '../core/runtime/clock.ts';
import { TOUCH_MS } from './accept-rows.ts';
import { type Log, onceWhileFailing } from '../core/runtime/log.ts';
import { sweepMarkerKey } from '../core/runtime/queue-names.ts';

/**
 * Wakes every merchant that is behind or has something due, from Postgres alone. This is all that rebuilding after a loss
 * in Redis takes: there is no order to restore, since none is kept there.
 *
 * Each pass looks at two indexes: lanes and effect lanes whose `due_at` has come, and mailboxes touched lately whose lane
 * is behind. A full pass compares all mailboxes with all lanes; it runs hourly, at start, and when Redis may have lost
 * something: its marker key is gone, or the connection was. A failover that lost the last second still has the marker.
 * Any number of workers may sweep; an advisory lock lets one do it.
 */
export interface Sweeper {
  start(): void;
  stop(): Promise<void>;
  /** One pass. Resolves with how many merchants and effect lanes were woken; undefined when another worker sweeps. */
  sweep(): Promise<{ merchants: number; effects: number } | undefined>;
}

export interface EffectKey {
  merchantId: string;
  destination: string;
}

export interface SweepOptions {
  db: Kysely<Database>;
  redis: Redis;
  prefix: string;
  clock: Clock;
  log: Log;
  everyMs: number;
  wakeMerchants(merchantIds: readonly string[]): Promise<void>;
  /** Wakes also those that are suspended for longer: what is due may be a command that ends what they wait for. */
  rouseMerchants(merchantIds: readonly string[]): Promise<void>;
  wakeEffects(keys: readonly EffectKey[]): Promise<void>;
  /** Bounded clean-up that rides on the hourly pass. */
  housekeeping(): Promise<void>;
}

const BATCH = 1_000;
const FULL_PASS_MS = 3_600_000;
/** How long a mailbox counts as touched lately; longer than any outage of Redis goes unnoticed. */
const RECENT_MS = 900_000;
/** A merchant touched, or a lane worked, this recently needs no help: waking it would cost a spare run. */
const SETTLING_MS = 5_000;
const LOCK = 'laneway.sweep';

export function createSweeper(options: SweepOptions): Sweeper {
  const { db, redis, clock, log } = options;
  const marker = sweepMarkerKey(options.prefix);
  const trouble = onceWhileFailing(log, 'sweeper');
  const stopping = new AbortController();
  let lastFullPass = 0;
  let connections = 0;
  let sweptConnections = 0;
  let loop: Promise<void> = Promise.resolve();
  const onReady = () => (connections += 1);
  redis.on('ready', onReady);

  /** True when Redis does not hold what this fleet put there. */
  const redisLostItsData = async (): Promise<boolean> => (await redis.exists(marker)) === 0;

  const sweep: Sweeper['sweep'] = async () => {
    const now = clock.now();
    const lost = await redisLostItsData();
    const connection = connections;
    const full = lost || connection !== sweptConnections || now - lastFullPass >= FULL_PASS_MS;
    const found = await db.transaction().execute(async (trx) => {
      const lock = await sql<{ held: boolean }>`select pg_try_advisory_xact_lock(hashtext(${LOCK})) as held`.execute(
        trx,
      );
      if (lock.rows[0]?.held !== true) return undefined;
      const due = await sql<{ merchantId: string }>`
        select merchant_id as "merchantId" from lanes
        where due_at <= now() and state = 'active' order by due_at limit ${BATCH}
      `.execute(trx);
      const effects = await sql<EffectKey>`
        select merchant_id as "merchantId", destination from effect_lanes
        where due_at <= now() order by due_at limit ${BATCH}
      `.execute(trx);
      return { due: due.rows, effects: effects.rows };
    });
    if (found === undefined) return undefined;
    let merchants = 0;
    if (found.due.length > 0) await options.rouseMerchants(found.due.map((row) => row.merchantId));
    merchants += found.due.length;
    if (found.effects.length > 0) await options.wakeEffects(found.effects);
    merchants += await wakeThoseBehind(full ? 0 : now - RECENT_MS, full ? now + TOUCH_MS : now - SETTLING_MS);
    if (full) {
      if (lost) log.info('Redis was empty: woke every merchant that is behind', { merchants });
      await redis.set(marker, String(now));
      await ensurePartitions(db, now);
      await options.housekeeping();
      lastFullPass = now;
      sweptConnections = connection;
    }
    return { merchants, effects: found.effects.length };
  };

  /**
   * Merchants whose lane has not reached its mailbox, by the time the mailbox was touched; in batches, oldest first. Also
   * those with something due later: it may be set aside, with the rest of the lane free to go on. Where the lane does wait
   * for it, its suspended activation absorbs the wake-up.
   */
  const wakeThoseBehind = async (sinceMs: number, untilMs: number): Promise<number> => {
    let woken = 0;
    let after = { touchedAt: new Date(sinceMs), merchantId: '' };
    for (let batch = 0; batch < 1_000; batch++) {
      const { rows } = await sql<{ merchantId: string; touchedAt: Date }>`
        select m.merchant_id as "merchantId", m.touched_at as "touchedAt"
        from mailbox m left join lanes l using (merchant_id)
        where (m.touched_at, m.merchant_id) > (${after.touchedAt}, ${after.merchantId})
          and m.touched_at <= ${new Date(untilMs)}
          and coalesce(l.cursor, 0) < m.next_mseq - 1
          and coalesce(l.state, 'active') = 'active'
          and coalesce(l.updated_at, 'epoch') <= ${new Date(untilMs)}
        order by m.touched_at, m.merchant_id limit ${BATCH}
      `.execute(db);
      if (rows.length > 0) await options.wakeMerchants(rows.map((row) => row.merchantId));
      woken += rows.length;
      const last = rows.at(-1);
      if (last === undefined || rows.length < BATCH) break;
      after = last;
    }
    return woken;
  };

  const run = async () => {
    while (!stopping.signal.aborted) {
      try {
        await sweep();
        trouble.ok();
      } catch (error) {
        trouble.failing(error);
      }
      await clock.sleep(options.everyMs, stopping.signal);
    }
  };

  return {
    sweep,
    start() {
      loop = run();
    },
    async stop() {
      stopping.abort();
      redis.off('ready', onReady);
      await loop;
    },
  };
}
