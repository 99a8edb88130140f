import { type Kysely, sql } from 'kysely';
import type { Redis } from 'ioredis';
import { ensurePartitions } from '../core/database/migrate.ts';
import type { Database } from '../core/database/tables.ts';
import type { Clock } from '../core/runtime/clock.ts';
import { TOUCH_MS } from './accept-rows.ts';
import type { EffectKey } from './effect-lane.ts';
import { readDueEffects, readDueLanes } from './read-due.ts';
import { type Turn, askForFullPass, endTurn, keepTurn, takeTurn } from './sweep-turn.ts';
import { newId } from '../core/runtime/ids.ts';
import { type Log, onceWhileFailing } from '../core/runtime/log.ts';
import { sweepMarkerKey } from '../core/runtime/queue-names.ts';

/**
 * Wakes every merchant that is behind or has something due, from Postgres alone. This is all that rebuilding after a loss
 * in Redis takes: there is no order to restore, since none is kept there.
 *
 * Each pass reads a page of the lanes and of the effect lanes whose `due_at` has come, and compares mailboxes with lanes:
 *
 *   each pass      mailboxes touched in the last half minute
 *   each minute    those touched in the last quarter of an hour
 *   each hour, at a worker's start, and when Redis may have lost something (its marker key is gone, or a worker's
 *   connection was: a failover that lost the last second still has the marker)      all of them
 *
 * So a wake-up that was lost costs a few seconds, or a minute where its merchant was being worked until then. A pass costs
 * what was touched in half a minute, however many merchants have been quiet for longer. A fleet makes one pass in each
 * interval, whichever of its workers comes first.
 */
export interface Sweeper {
  start(): void;
  stop(): Promise<void>;
  /** One pass. Resolves with how many merchants and effect lanes were woken; undefined when another worker sweeps. */
  sweep(): Promise<{ merchants: number; effects: number } | undefined>;
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
const RECENT_EVERY_MS = 60_000;
/** How far back each pass looks: several times what an accepted event may take to be visible and settled. */
const NEW_MS = 30_000;
/** A merchant touched, or a lane worked, this recently needs no help: waking it would cost a spare run. */
const SETTLING_MS = 5_000;
/** What the marker says until a full pass has come to its end. */
const UNFINISHED = 'unfinished';

export function createSweeper(options: SweepOptions): Sweeper {
  const { db, redis, clock, log, everyMs } = options;
  const marker = sweepMarkerKey(options.prefix);
  const trouble = onceWhileFailing(log, 'sweeper');
  const stopping = new AbortController();
  const holder = newId();
  let connections = 0;
  let connectionsTold = -1;
  let owesHousekeeping = false;
  let loop: Promise<void> = Promise.resolve();
  const onReady = () => (connections += 1);
  redis.on('ready', onReady);

  /** True when Redis does not hold what this fleet put there. */
  const redisLostItsData = async (): Promise<boolean> => {
    const mark = await redis.get(marker);
    if (mark === null) await redis.set(marker, UNFINISHED);
    return mark === null || mark === UNFINISHED;
  };

  /** A pass, unless another worker makes one or made one less than that time ago. */
  const sweepAfter = async (intervalMs: number): ReturnType<Sweeper['sweep']> => {
    // Whoever does not reach Redis leaves the turn to others.
    await redis.ping();
    const connection = connections;
    if (connection !== connectionsTold) await askForFullPass(db);
    connectionsTold = connection;
    const turn = await takeTurn(db, holder, intervalMs);
    if (turn === undefined) return undefined;
    let woken: { merchants: number; effects: number };
    try {
      woken = await pass(turn);
    } catch (error) {
      // Where this fails as well, the turn is over after its time.
      await endTurn(db, turn).catch(() => undefined);
      throw error;
    }
    if (owesHousekeeping) {
      await ensurePartitions(db, clock.now());
      await options.housekeeping();
      owesHousekeeping = false;
    }
    return woken;
  };

  const pass = async (turn: Turn): Promise<{ merchants: number; effects: number }> => {
    const now = clock.now();
    const lost = await redisLostItsData();
    const full = lost || turn.fullAsked > turn.fullDone || turn.sinceFullMs >= FULL_PASS_MS;
    const recent = full || turn.sinceRecentMs >= RECENT_EVERY_MS;
    const due = await readDueLanes(db, turn.dueLane ?? undefined, BATCH);
    if (due.rows.length > 0) await options.rouseMerchants(due.rows.map((row) => row.merchantId));
    const effects = await readDueEffects(db, turn.dueEffect ?? undefined, BATCH);
    if (effects.rows.length > 0) await options.wakeEffects(effects.rows);
    const since = full ? 0 : now - (recent ? RECENT_MS : NEW_MS);
    const behind = await wakeThoseBehind(turn, since, full ? now + TOUCH_MS : now - SETTLING_MS);
    if (full) {
      if (lost) log.info('Redis was empty: woke every merchant that is behind', { merchants: behind });
      // Emptied again meanwhile, it has no marker now, and is given none: the next pass is a full one too.
      await redis.set(marker, String(now), 'XX');
      owesHousekeeping = true;
    }
    await endTurn(db, turn, { full, recent, dueLane: due.next, dueEffect: effects.next });
    return { merchants: due.rows.length + behind, effects: effects.rows.length };
  };

  /**
   * Merchants whose lane has not reached its mailbox, by the time the mailbox was touched; in batches, oldest first. Also
   * those with something due later: it may be set aside, with the rest of the lane free to go on. Where the lane does wait
   * for it, its suspended activation absorbs the wake-up.
   */
  const wakeThoseBehind = async (turn: Turn, sinceMs: number, untilMs: number): Promise<number> => {
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
      await keepTurn(db, turn);
    }
    return woken;
  };

  const run = async () => {
    while (!stopping.signal.aborted) {
      try {
        await sweepAfter(0.9 * everyMs);
        trouble.ok();
      } catch (error) {
        trouble.failing(error);
      }
      await clock.sleep(everyMs, stopping.signal);
    }
  };

  return {
    sweep: () => sweepAfter(0),
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
