import { bucketOf } from '../../workers/lane-limits.ts';
import { MAX_OPEN_DELIVERIES } from '../../workers/deliveries.ts';
import { type Registry, hasHandler } from '../../core/events/registry.ts';
import { readableAs } from '../../core/events/versions.ts';
import { tokensAt, wholeTokens } from '../../core/runtime/token-bucket.ts';
import type { Activation, RedisFacts } from './activation.ts';
import type { ComingEvent, EventRef, LaneFacts, OpenDelivery } from './lane-facts.ts';

interface Retry {
  handler: string;
  /** Failed tries so far, of the retries that the event has; null where nothing is counted (a snooze). */
  attempt: number;
  of: number | null;
  until: string | null;
  code: string | null;
  message: string | null;
}

/** Why a lane is where it is: one cause, the first in the order in which each would have to be removed. */
export type Cause =
  | { kind: 'caught-up'; lastEventAt: string }
  /** `owner` is null where the worker that has it now has committed nothing of it yet. */
  | {
      kind: 'working';
      worker: string | null;
      owner: string | null;
      since: string | null;
      /** What is left of the worker's lock, which it renews for as long as it lives. */
      lockedForMs: number;
    }
  /** Its worker has not renewed its lock: the lane is taken over. */
  | { kind: 'worker-gone'; worker: string | null; since: string | null }
  | ({ kind: 'retrying' } & Retry)
  /** The handler asked for time; not a failure. */
  | { kind: 'snoozed'; handler: string; until: string | null }
  /** Events of an aggregate wait in order behind an earlier one. */
  | ({ kind: 'held-behind'; key: string; waiting: number } & Retry)
  | ({ kind: 'parked'; key: string | null; waiting: number; since: string } & Omit<Retry, 'until'>)
  | ({ kind: 'blocked'; why: string; since: string | null } & Omit<Retry, 'until'>)
  | { kind: 'paused'; by: string | null; reason: string | null; since: string | null }
  /** Works nothing past `to`. */
  | { kind: 'draining'; by: string | null; reason: string | null; to: number; stillOpen: number }
  | { kind: 'rate-limited'; perSecond: number; until: string }
  | { kind: 'set-aside-limit'; open: number; limit: number }
  /** What is open is for a handler that this release does not have, and nothing else can go before it. */
  | { kind: 'handler-unknown'; handler: string; waiting: number }
  /** Put off after a failure that says nothing about an event, or for one of a type or version that this release does not know. */
  | { kind: 'suspended'; until: string; waitsFor: string | null }
  /** Merchants whose turn comes first. */
  | { kind: 'queued'; behind: number }
  | { kind: 'waiting-for-activation' }
  | { kind: 'redis-lost'; how: 'unreachable' | 'emptied'; why: string };

export type Explanation = Cause & {
  merchantId: string;
  cursor: number;
  backlog: number;
  /** The event that the cause is about. */
  event: EventRef | null;
  /** What to do, if anything. */
  advice: string;
};

/** Pure: the same facts have the same cause. */
export function explainLane(lane: LaneFacts, redis: RedisFacts, registry: Registry, nowMs: number): Explanation {
  const { cause, event } = findCause(lane, redis, registry, nowMs);
  const { merchantId, cursor, backlog } = lane;
  return { ...cause, merchantId, cursor, backlog, event, advice: adviceOn(cause, merchantId) };
}

interface Found {
  cause: Cause;
  event: EventRef | null;
}

function findCause(lane: LaneFacts, redis: RedisFacts, registry: Registry, nowMs: number): Found {
  const about = (cause: Cause, event: EventRef | null = lane.head): Found => ({ cause, event });
  const { by, reason, since } = lane;
  const ahead = lane.deliveries.filter((d) => d.mseq > lane.cursor);
  if (lane.state === 'blocked') {
    const parked = ahead.find((d) => d.state === 'parked');
    const retry = retryOf(parked, registry);
    return about(
      { kind: 'blocked', why: reason ?? 'unknown', since, ...retry },
      parked === undefined ? lane.head : refOf(parked),
    );
  }
  if (lane.state === 'paused') return about({ kind: 'paused', by, reason, since });
  const nothingLeft = lane.backlog === 0 && lane.openDeliveries === 0 && lane.openRedrives === 0;
  if (nothingLeft && lane.drainTo === null) return about({ kind: 'caught-up', lastEventAt: lane.touchedAt }, null);
  if (redis.kind === 'unreachable') return about({ kind: 'redis-lost', how: 'unreachable', why: redis.why });
  const { activation } = redis;
  if (activation.kind === 'active') return about(claimedCause(lane, activation));
  const waiting = waitingCause(ahead, registry, nowMs) ?? (lane.backlog === 0 ? asideCause(lane, registry) : undefined);
  if (waiting !== undefined) return waiting;
  if (lane.drainTo !== null && lane.cursor >= lane.drainTo)
    return about(
      { kind: 'draining', by, reason, to: lane.drainTo, stillOpen: lane.openDeliveries },
      refOf(lane.deliveries[0]),
    );
  if (lane.openDeliveries >= MAX_OPEN_DELIVERIES)
    return about(
      { kind: 'set-aside-limit', open: lane.openDeliveries, limit: MAX_OPEN_DELIVERIES },
      refOf(lane.deliveries[0]),
    );
  const until = rateLimitedUntil(lane, nowMs);
  if (until !== undefined && lane.ratePerSecond !== null)
    return about({ kind: 'rate-limited', perSecond: lane.ratePerSecond, until });
  switch (activation.kind) {
    case 'delayed': {
      const newer = lane.coming.find((event) => !isKnown(event, registry));
      if (newer === undefined) return about({ kind: 'suspended', until: activation.until, waitsFor: null });
      const { eventVersion, ...ref } = newer;
      return about({ kind: 'suspended', until: activation.until, waitsFor: `${ref.eventType} ${eventVersion}` }, ref);
    }
    case 'waiting':
      return about({ kind: 'queued', behind: activation.ahead });
    case 'none':
      return redis.markerPresent
        ? about({ kind: 'waiting-for-activation' })
        : about({ kind: 'redis-lost', how: 'emptied', why: 'Redis does not hold what the fleet put there' });
    default:
      return activation satisfies never;
  }
}

/** Who has it is what the claim says: the lane's own row names whoever committed last. */
function claimedCause(lane: LaneFacts, { by, since, lockedForMs }: Claimed): Cause {
  if (lockedForMs === null) return { kind: 'worker-gone', worker: by, since };
  const owner = by === null || by === lane.worker ? lane.owner : null;
  return { kind: 'working', worker: by ?? lane.worker, owner, since, lockedForMs };
}

type Claimed = Extract<Activation, { kind: 'active' }>;

const isKnown = ({ eventType, eventVersion }: ComingEvent, registry: Registry): boolean => {
  const definition = registry.get(eventType);
  return definition !== undefined && readableAs(definition, eventVersion) !== undefined;
};

const isOpen = ({ state }: OpenDelivery): boolean => state === 'waiting' || state === 'redrive';

/** What waits at the head until a time that has not come, or until a release that can run it. */
function waitingCause(ahead: readonly OpenDelivery[], registry: Registry, nowMs: number): Found | undefined {
  const known = ahead.filter((d) => hasHandler(registry, d));
  const unknown = ahead.find((d) => isOpen(d) && !hasHandler(registry, d));
  const head = known.find((d) => d.state === 'waiting' && Date.parse(d.notBefore ?? '') > nowMs);
  if (head !== undefined) return { cause: retryCause(head, registry), event: refOf(head) };
  if (unknown === undefined || known.some(isOpen)) return undefined;
  return { cause: { kind: 'handler-unknown', handler: unknown.handler, waiting: 0 }, event: refOf(unknown) };
}

/** With the cursor at its end, what was set aside is all that is left. */
function asideCause({ deliveries }: LaneFacts, registry: Registry): Found | undefined {
  const behind = (d: OpenDelivery) =>
    deliveries.filter(
      (other) => other.state === 'behind' && other.handler === d.handler && other.holdKey === d.holdKey,
    );
  const allOpen = deliveries.filter(isOpen);
  const open = allOpen.find((d) => hasHandler(registry, d)) ?? allOpen[0];
  if (open !== undefined) {
    const waiting = open.holdKey === null ? 0 : behind(open).length;
    if (!hasHandler(registry, open))
      return { cause: { kind: 'handler-unknown', handler: open.handler, waiting }, event: refOf(open) };
    if (waiting === 0 || open.holdKey === null) return { cause: retryCause(open, registry), event: refOf(open) };
    const retry = { ...retryOf(open, registry), until: open.notBefore };
    return { cause: { kind: 'held-behind', key: open.holdKey, waiting, ...retry }, event: refOf(open) };
  }
  const parked = deliveries.find((d) => d.state === 'parked');
  if (parked === undefined) return undefined;
  const cause = {
    kind: 'parked',
    key: parked.holdKey,
    waiting: parked.holdKey === null ? 0 : behind(parked).length,
    since: parked.updatedAt,
    ...retryOf(parked, registry),
  } as const;
  return { cause, event: refOf(parked) };
}

function retryCause(delivery: OpenDelivery, registry: Registry): Cause {
  const { handler, notBefore: until } = delivery;
  if (delivery.attempt === 0) return { kind: 'snoozed', handler, until };
  return { kind: 'retrying', ...retryOf(delivery, registry), until };
}

const retryOf = (delivery: OpenDelivery | undefined, registry: Registry) => ({
  handler: delivery?.handler ?? 'unknown',
  attempt: delivery?.attempt ?? 0,
  of: registry.get(delivery?.eventType ?? '')?.retry.retries ?? null,
  code: delivery?.lastError?.code ?? null,
  message: delivery?.lastError?.message ?? null,
});

function refOf(delivery: OpenDelivery | undefined): EventRef | null {
  if (delivery === undefined) return null;
  const { mseq, eventId, eventType, correlationId, traceId } = delivery;
  return { mseq, eventId, eventType, correlationId, traceId };
}

/** ISO 8601; undefined when a token is there, or none is needed. */
export function rateLimitedUntil(
  lane: Pick<LaneFacts, 'ratePerSecond' | 'rateTokens' | 'rateAt'>,
  nowMs: number,
): string | undefined {
  const bucket = bucketOf({ ...lane, rateAt: lane.rateAt === null ? null : new Date(lane.rateAt) }, nowMs);
  if (bucket === undefined || wholeTokens(bucket) > 0) return undefined;
  return new Date(tokensAt(bucket, 1)).toISOString();
}

function adviceOn(cause: Cause, merchantId: string): string {
  const command = (text: string) => `npm run lanes -- ${text.replace('M', JSON.stringify(merchantId))}`;
  switch (cause.kind) {
    case 'caught-up':
    case 'working':
    case 'queued':
    case 'snoozed':
      return 'nothing to do';
    case 'retrying':
    case 'held-behind':
      return `it is tried again by itself; ${runbook(cause.code)}`;
    case 'parked':
      return `mend the cause, then redrive it: npm run dlq -- redrive --merchant ${JSON.stringify(merchantId)}; ${runbook(cause.code)}`;
    case 'blocked':
      return `${runbook(cause.code)}; then ${command('unblock M')}, or with --skip or --dead-letter to let the lane pass it`;
    case 'paused':
      return command('resume M');
    case 'draining':
      return `it is paused when what is open has ended; ${command('resume M')} ends the drain`;
    case 'rate-limited':
      return `${command('rate M none')} lifts the limit`;
    case 'set-aside-limit':
      return `too much is set aside for anything new to be begun: ${command('show M')} lists it`;
    case 'worker-gone':
      return 'its worker is gone: taken over within a twentieth of a lease (1.5 s at the usual one), if another worker runs';
    case 'handler-unknown':
      return `it never is tried by a release without ${cause.handler}: start workers of one that has it; where the handler is retired for good, one in which it skips`;
    case 'suspended':
      return cause.waitsFor === null
        ? 'it was put off: a server was away, or an error was one that nobody expected (the log of its worker says which), or too many lanes waited to be worked alone'
        : `it waits for a release that knows ${cause.waitsFor}, which this one does not: roll that release out`;
    case 'waiting-for-activation':
      return `the sweeper wakes it within seconds; if it does not, no worker runs, or ${command('rebuild M')}`;
    case 'redis-lost':
      return cause.how === 'emptied'
        ? 'the sweeper wakes every merchant that is behind within seconds, if a worker runs'
        : 'bring Redis back; nothing is lost, and the sweeper wakes who is behind';
    default:
      return cause satisfies never;
  }
}

const runbook = (code: string | null): string =>
  code === null ? 'see ops/runbooks/failure-modes.md' : `see ${code} in ops/runbooks/failure-modes.md`;
