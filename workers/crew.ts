import type { Activation, ActivationEnd } from './activation-queue.ts';
import type { ConvoyEnd } from './convoy.ts';
import type { Tenure } from './fence.ts';
import type { Lease } from './leases.ts';
import { isTurnOver } from './lane-limits.ts';
import { type TurnLimits, mayShare } from './turns.ts';
import type { Clock } from '../core/runtime/clock.ts';

/** A lane that this process works: its activation, its lease and how much of its turn is used. */
export interface Member {
  activation: Activation;
  lease: Lease;
  tenure: Tenure;
  startedAt: number;
  windows: number;
}

/**
 * Works lanes together, a convoy a round, and between two rounds hands back those that are done and claims others in their
 * place. Any number of crews of a process share its alone-runs.
 *
 *   claiming ──none──► idle ──work signalled──► claiming
 *      └──some──► convoy ──► claiming …
 *   stopping: the convoy in hand ends, and what is left goes back to the tail
 */
export interface CrewDependencies {
  clock: Clock;
  limits: TurnLimits;
  /** Lanes that may share the next transaction. */
  convoyLanes(): number;
  /** Works one window of each lane in one transaction. Rejects with `stop`'s reason, or when Postgres is away. */
  workConvoy(tenures: ReadonlyMap<string, Tenure>, stop: AbortSignal): Promise<ReadonlyMap<string, ConvoyEnd>>;
  /** Fires at shutdown: nothing new is claimed. */
  stopping: AbortSignal;
  /** Fires when the grace of a shutdown is over: transactions in flight are given up. */
  giveUp: AbortSignal;
  admit(activation: Activation): Member;
  /**
   * Takes a member over for a run of its own; the crew has no more to do with it but to end what it answers with: nothing, or
   * the activation of a member for which there is no room now.
   */
  workAlone(member: Member): readonly ActivationEnd[];
  /** Resolves when there may be work, or at shutdown. `dueAt`: when something delayed comes. */
  idle(dueAt: number | undefined): Promise<void>;
  /** Ends activations and claims others. Never rejects: an exchange that fails claims nothing. */
  exchange(
    ends: readonly ActivationEnd[],
    room: number,
  ): Promise<{ claimed: readonly Activation[]; dueAt: number | undefined }>;
  /** A lane made a shared transaction fail: it is worked alone for a while. */
  suspect(merchantId: string): void;
  isSuspect(merchantId: string): boolean;
  refused(member: Member, error: Error): void;
  /** The end of an activation whose run an infrastructure error ended, and what is to be said about it. */
  afterTrouble(activation: Activation, error: unknown): ActivationEnd;
  working(): void;
  /** Lanes that began or ceased to be worked. */
  lanes(change: number): void;
}

export async function runCrew(deps: CrewDependencies): Promise<void> {
  let members: Member[] = [];
  let ends: ActivationEnd[] = [];
  for (;;) {
    const room = deps.stopping.aborted ? 0 : Math.max(0, deps.convoyLanes() - members.length);
    const { claimed, dueAt } = await deps.exchange(ends, room);
    ends = [];
    for (const activation of claimed) {
      members = withoutOlder(members, activation.merchantId);
      const member = deps.admit(activation);
      const suspect = deps.isSuspect(activation.merchantId);
      if (mayShare({ stalledCount: activation.stalledCount, suspect })) members.push(member);
      else ends.push(...deps.workAlone(member));
    }
    if (members.length === 0) {
      if (ends.length > 0) continue;
      if (deps.stopping.aborted) return;
      if (claimed.length === 0) await deps.idle(dueAt);
      continue;
    }
    deps.lanes(members.length);
    const round = await workRound(deps, members);
    deps.lanes(-members.length);
    ends.push(...round.ends);
    members = round.left;
  }
}

/** A merchant that was taken from this process and came back to it is worked under the newer claim. */
function withoutOlder(members: Member[], merchantId: string): Member[] {
  const older = members.find(({ activation }) => activation.merchantId === merchantId);
  if (older === undefined) return members;
  older.lease.release();
  return members.filter((member) => member !== older);
}

/** One convoy. Answers with the ends of those that are done and the members that go on. */
async function workRound(
  deps: CrewDependencies,
  members: readonly Member[],
): Promise<{ ends: ActivationEnd[]; left: Member[] }> {
  const held = members.filter(({ lease }) => !lease.signal.aborted);
  for (const member of members) if (member.lease.signal.aborted) member.lease.release();
  const byMerchant = new Map(held.map((member) => [member.activation.merchantId, member]));
  const tenures = new Map(held.map(({ activation, tenure }) => [activation.merchantId, tenure]));
  let outcome: ReadonlyMap<string, ConvoyEnd>;
  try {
    outcome = await deps.workConvoy(tenures, deps.giveUp);
    deps.working();
  } catch (error) {
    return {
      ends: held.map((member) => {
        member.lease.release();
        return deps.afterTrouble(member.activation, error);
      }),
      left: [],
    };
  }
  const ends: ActivationEnd[] = [];
  const left: Member[] = [];
  const finish = (member: Member, action: 'done' | 'again') => {
    member.lease.release();
    ends.push({ activation: member.activation, action });
  };
  for (const [merchantId, end] of outcome) {
    const member = byMerchant.get(merchantId);
    if (member === undefined) continue;
    switch (end.kind) {
      case 'worked':
        member.windows += 1;
        if (!end.more) finish(member, 'done');
        else if (deps.stopping.aborted || hasHadTurn(deps, member, end.weight)) finish(member, 'again');
        else left.push(member);
        break;
      case 'caught-up':
      case 'waiting':
        finish(member, 'done');
        break;
      case 'put-back':
        finish(member, 'again');
        break;
      case 'alone':
        if (end.failed) deps.suspect(merchantId);
        ends.push(...deps.workAlone(member));
        break;
      case 'refused':
        deps.refused(member, end.error);
        member.lease.release();
        break;
      default:
        end satisfies never;
    }
  }
  return { ends, left };
}

const hasHadTurn = ({ clock, limits }: CrewDependencies, { windows, startedAt }: Member, weight: number): boolean =>
  isTurnOver({ windows, elapsedMs: clock.now() - startedAt }, limits, weight);
