import { type ActDependencies, type LaneEnd, newTenure, workLane } from './act.ts';
import { createAlonePool } from './alone-pool.ts';
import type { Activations } from './activate.ts';
import { type Activation, type ActivationEnd, type ActivationQueue, recoveryIntervalMs } from './activation-queue.ts';
import { type ConvoyDependencies, workConvoy } from './convoy.ts';
import { createConvoyPace } from './convoy-pace.ts';
import { type CrewDependencies, type Member, runCrew } from './crew.ts';
import { createLeases } from './leases.ts';
import { createSuspects } from './suspects.ts';
import type { TurnLimits } from './turns.ts';
import { createWorkSignal } from './work-signal.ts';
import type { Config } from '../core/runtime/config.ts';
import { withDeadline } from '../core/runtime/deadline.ts';
import { LanewayError, coerceError, isInfrastructureError } from '../core/runtime/errors.ts';
import { type Log, nowAndThen, onceWhileFailing } from '../core/runtime/log.ts';

/**
 * The fleet's actors in this process. Crews claim activations and work their lanes together; a lane that has something open,
 * or made others fail, is worked on its own beside them. An activation ends in one of these ways.
 *
 * active ─► gone      caught up, or paused; or its lease or fence was lost, and it is somebody else's by then
 * active ─► waiting   its turn is over, or a shutdown puts it back: to the tail, behind every merchant that waits
 * active ─► delayed   the head of the lane is not due, or infrastructure is away
 */
export interface Actors {
  /** Stops taking activations, lets windows finish, puts back what is left. Resolves when no lane is being worked. */
  stop(graceMs: number): Promise<void>;
  /** Lanes being worked. */
  readonly active: number;
}

export interface ActorOptions {
  deps: ActDependencies;
  limits: TurnLimits;
  activations: Activations;
  /** Transactions that are shared by several lanes, at a time. */
  crews: number;
  /** Lanes that are worked on their own, at a time. */
  concurrency: number;
  convoyMs: number;
  convoyMeantMs: number;
  callMs: number;
  lockTimeoutMs: number;
  leaseMs: number;
  log: Log;
  /** Reads `lanes.wake` of many lanes, which a resume raises. */
  readWakes(merchantIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** Told of each visit that the fence ended. */
  refused?: () => void;
}

const INFRASTRUCTURE_BASE_MS = 250;
/** No longer than what the sweeper leaves to end by itself (activate.ts). */
const INFRASTRUCTURE_CAP_MS = 10_000;
/** How long a Redis that does not answer holds a crew before it goes on without; the sweeper makes up for what was lost. */
const EXCHANGE_DEADLINE_MS = 5_000;
const EXCHANGE_PAUSE_MS = 500;
/** After how long a lane comes back for which there was no room alone; twice as long each time, up to the second. */
const CROWDED_BASE_MS = 100;
const CROWDED_CAP_MS = 4_000;
const SUSPECT_MS = 30_000;
const NEWER_SAID_EVERY_MS = 60_000;

/** During a rollout this holds for every lane with such an event, each time that it is tried. */
const isOfNewerRelease = (error: unknown): error is LanewayError =>
  error instanceof LanewayError &&
  (error.code === 'envelope.unknown_type' || error.code === 'envelope.unsupported_version');

/** What the settings of a worker say about its actors. */
export const actorSettings = (config: Config) => ({
  limits: config,
  crews: config.crews,
  concurrency: config.actors,
  // A run that is not renewed for a lease is somebody else's: a shared transaction must be over long before.
  convoyMs: config.leaseMs / 2,
  convoyMeantMs: Math.min(config.convoyMs, config.leaseMs / 8),
  callMs: Math.min(config.convoyCallMs, config.leaseMs / 4),
  lockTimeoutMs: config.convoyLockMs,
  leaseMs: config.leaseMs,
});

/** The crews of each partition. */
const crewsOf = (crews: number, partitions: number): number => Math.max(1, Math.ceil(crews / partitions));

/** How many transactions a worker with these settings may have open at a time. */
export const transactionsAtOnce = ({
  actors,
  crews,
  activationPartitions,
}: Pick<Config, 'actors' | 'crews' | 'activationPartitions'>): number =>
  actors + activationPartitions * crewsOf(crews, activationPartitions);

export function startActors(options: ActorOptions): Actors {
  const { deps, activations, leaseMs, log, limits } = options;
  const { clock } = deps;
  const stopping = new AbortController();
  /** Fires when the grace of a shutdown is over: transactions in flight are given up. */
  const giveUp = new AbortController();
  const trouble = onceWhileFailing(log, 'lanes');
  const redisTrouble = onceWhileFailing(log, 'activations in Redis');
  const newer = nowAndThen(log, 'lanes wait for a worker of a newer release', { everyMs: NEWER_SAID_EVERY_MS, clock });
  const suspects = createSuspects({ forMs: SUSPECT_MS, clock });
  /** One for all partitions: its runs are bounded for the process. */
  const alone = createAlonePool({ concurrency: options.concurrency });
  let active = 0;

  const putBack = (activation: Activation): ActivationEnd => ({ activation, action: 'again' });

  /** Comes back between half of and a whole `baseMs`, doubled for each time that it was claimed, up to `capMs`. */
  const putOff = (activation: Activation, baseMs: number, capMs: number): ActivationEnd => {
    const ceiling = Math.min(capMs, baseMs * 2 ** Math.min(activation.claimCount, 10));
    return { activation, action: 'later', atMs: clock.now() + Math.round(ceiling * (0.5 + deps.random() / 2)) };
  };

  const startPartition = (queue: ActivationQueue) => {
    const leases = createLeases({ leaseMs, log, renew: (held) => queue.renew(held, leaseMs) });
    const signal = createWorkSignal({ queue, clock, stopping: stopping.signal, failing: redisTrouble.failing });

    const giveBack = async (claimed: readonly Activation[]): Promise<void> => {
      if (claimed.length === 0) return;
      await exchange(claimed.map(putBack), 0);
      signal.raise();
    };
    const exchange: CrewDependencies['exchange'] = async (ends, room) => {
      if (ends.length === 0 && room <= 0) return { claimed: [], dueAt: undefined };
      const asked = queue.exchange(ends, { room: Math.max(0, room), leaseMs, nowMs: clock.now() });
      try {
        const done = await withDeadline('exchanging activations', EXCHANGE_DEADLINE_MS, () => asked);
        redisTrouble.ok();
        return done;
      } catch (error) {
        // A command that was given up is sent all the same once Redis is back: nobody works what it then claims.
        asked.then(
          ({ claimed }) => giveBack(claimed),
          () => undefined,
        );
        redisTrouble.failing(error);
        await clock.sleep(EXCHANGE_PAUSE_MS, stopping.signal);
        return { claimed: [], dueAt: undefined };
      }
    };

    const afterTrouble = (activation: Activation, error: unknown): ActivationEnd => {
      const { merchantId } = activation;
      if (giveUp.signal.aborted) {
        log.warn('lane put back by shutdown', { merchantId });
        return putBack(activation);
      }
      if (isInfrastructureError(error)) trouble.failing(error);
      else if (isOfNewerRelease(error)) newer({ merchantId, error: error.message });
      else {
        const unexpected = coerceError(error, 'internal.unexpected');
        log.error('a lane could not be worked, will try again', {
          merchantId,
          error: unexpected.message,
          stack: unexpected.stack,
        });
      }
      return putOff(activation, INFRASTRUCTURE_BASE_MS, INFRASTRUCTURE_CAP_MS);
    };

    const refused = ({ activation: { merchantId } }: Member, error: Error) => {
      options.refused?.();
      const detail = error instanceof LanewayError ? error.detail : {};
      log.warn('refused by the fence: another owner has this lane', { merchantId, ...detail });
    };

    const visit = async (member: Member): Promise<ActivationEnd | undefined> => {
      const { activation, lease, tenure } = member;
      const { merchantId } = activation;
      let end: LaneEnd;
      try {
        end = await workLane(deps, merchantId, {
          careful: activation.stalledCount > 0,
          stop: AbortSignal.any([lease.signal, giveUp.signal]),
          yield: stopping.signal,
          othersWait: () => alone.waiting > 0,
          tenure,
        });
        trouble.ok();
      } catch (error) {
        if (lease.signal.aborted) return undefined;
        // Put back by a deploy is not a death.
        if (giveUp.signal.aborted && activation.stalledCount > 0) await deps.inHand.clear(merchantId);
        if (!giveUp.signal.aborted && error instanceof LanewayError && error.code === 'fence.lost') {
          refused(member, error);
          return undefined;
        }
        return afterTrouble(activation, error);
      }
      switch (end.kind) {
        case 'caught-up':
          return { activation, action: 'done' };
        case 'yield':
          return putBack(activation);
        case 'waiting':
          if (end.until === undefined) return { activation, action: 'done' };
          await suspend(activation, end.until, end.wake);
          return undefined;
        default:
          return end satisfies never;
      }
    };

    /**
     * Wake-ups that arrive during a suspension are absorbed by it. A resume that came between the window and here would be
     * lost, so the lane's `wake` is read again once the activation is delayed.
     */
    const suspend = async (activation: Activation, until: Date, wake: number): Promise<void> => {
      await exchange([{ activation, action: 'later', atMs: until.getTime() }], 0);
      const { merchantId } = activation;
      // Bounded: what hangs here holds one of the runs that lanes on their own have.
      const wakes = await withDeadline('reading what was resumed', EXCHANGE_DEADLINE_MS, () =>
        options.readWakes([merchantId]),
      ).catch(() => new Map<string, number>());
      if ((wakes.get(merchantId) ?? wake) === wake) return;
      await withDeadline('promoting an activation', EXCHANGE_DEADLINE_MS, () => queue.promote([activation])).catch(
        redisTrouble.failing,
      );
    };

    const runAlone = async (member: Member): Promise<void> => {
      active += 1;
      const end = stopping.signal.aborted ? putBack(member.activation) : await visit(member);
      member.lease.release();
      active -= 1;
      if (end !== undefined) await exchange([end], 0);
      signal.raise();
    };

    const pace = createConvoyPace({ most: limits.convoyEvents, meantMs: options.convoyMeantMs });
    const convoyDeps: ConvoyDependencies = {
      ...deps,
      limits,
      pace,
      convoyMs: options.convoyMs,
      callMs: options.callMs,
      lockTimeoutMs: options.lockTimeoutMs,
    };
    const crewDeps: CrewDependencies = {
      clock,
      limits,
      convoyLanes: () => Math.min(limits.convoyLanes, pace.events),
      workConvoy: (tenures, stop) => workConvoy(convoyDeps, tenures, stop),
      stopping: stopping.signal,
      giveUp: giveUp.signal,
      admit: (activation) => ({
        activation,
        lease: leases.hold(activation),
        tenure: newTenure(deps.worker),
        startedAt: clock.now(),
        windows: 0,
      }),
      workAlone: (member) => {
        if (alone.add(() => runAlone(member))) return [];
        // In a queue without an end it would wait behind lanes that hang, while another worker may have room.
        const { activation, lease } = member;
        lease.release();
        return [stopping.signal.aborted ? putBack(activation) : putOff(activation, CROWDED_BASE_MS, CROWDED_CAP_MS)];
      },
      idle: signal.wait,
      exchange,
      suspect: suspects.add,
      isSuspect: suspects.has,
      refused,
      afterTrouble,
      working: trouble.ok,
      lanes: (change) => (active += change),
    };
    const crews = Array.from({ length: crewsOf(options.crews, activations.queues.length) }, () => runCrew(crewDeps));
    const recovery = setInterval(
      () => void queue.recoverStalled().then(undefined, redisTrouble.failing),
      recoveryIntervalMs(leaseMs),
    );
    return async () => {
      signal.raise();
      await Promise.all(crews);
      await alone.ended();
      clearInterval(recovery);
      leases.close();
    };
  };

  const stops = activations.queues.map(startPartition);

  return {
    get active() {
      return active;
    },
    async stop(graceMs) {
      stopping.abort(new Error('shutdown'));
      const timer = setTimeout(() => giveUp.abort(new Error('shutdown')), graceMs);
      timer.unref();
      await Promise.all(stops.map((stop) => stop()));
      clearTimeout(timer);
    },
  };
}
