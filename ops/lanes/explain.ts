import { bucketOf } from '../../workers/lane-limits.ts';
import { MAX_OPEN_DELIVERIES } from '../../workers/deliveries.ts';
import type { Registry } from '../../core/events/registry.ts';
import { tokensAt, wholeTokens } from '../../core/runtime/token-bucket.ts';
import type { RedisFacts } from './activation.ts';
import type { EventRef, LaneFacts, OpenDelivery } from './lane-facts.ts';

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
  | { kind: 'working'; worker: string | null; owner: string | null; since: string | null }
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
  /** Put off after a failure of infrastructure. */
  | { kind: 'suspended'; until: string }
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
  if (activation.kind === 'active')
    return about({ kind: 'working', worker: lane.worker, owner: lane.owner, since: activation.since });
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
    case 'delayed':
      return about({ kind: 'suspended', until: activation.until });
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

/** What waits at the head until a time that has not come. */
function waitingCause(ahead: readonly OpenDelivery[], registry: Registry, nowMs: number): Found | undefined {
  const head = ahead.find((d) => d.state === 'waiting' && Date.parse(d.notBefore ?? '') > nowMs);
  return head === undefined ? undefined : { cause: retryCause(head, registry), event: refOf(head) };
}

/** With the cursor at its end, what was set aside is all that is left. */
function asideCause({ deliveries }: LaneFacts, registry: Registry): Found | undefined {
  const behind = (d: OpenDelivery) =>
    deliveries.filter(
      (other) => other.state === 'behind' && other.handler === d.handler && other.holdKey === d.holdKey,
    );
  const open = deliveries.find((d) => d.state === 'waiting' || d.state === 'redrive');
  if (open !== undefined) {
    const waiting = open.holdKey === null ? 0 : behind(open).length;
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
    case 'suspended':
      return 'a server was away when it was last worked; the log of its worker says which';
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
