import { type Commit, type History, type Injected, keyOf } from './history.ts';

/** Time is looked at in slices of this length. */
const sliceMs = 250;

/** A wait in which others were served: of whom, for which event, between which epoch milliseconds. */
export interface Starvation {
  readonly merchantId: string;
  readonly eventId: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** How much of it others were served. */
  readonly servedMs: number;
}

/**
 * The longest time that a merchant which could have been served was not, while others were: from the acceptance of its next
 * event, or its last commit, to its next commit, counting only the slices of time in which somebody else's lane committed.
 * A wait for an event whose handlers were planned to fail or to wait does not count.
 */
export function longestStarvation(waits: readonly MerchantWait[], commits: readonly Commit[]): Starvation | undefined {
  const busySlices = new Map<number, Set<string>>();
  for (const { atMs, merchantId } of commits) {
    const slice = Math.floor(atMs / sliceMs);
    const merchants = busySlices.get(slice);
    if (merchants === undefined) busySlices.set(slice, new Set([merchantId]));
    else merchants.add(merchantId);
  }
  let longest: Starvation | undefined;
  for (const { merchantId, eventId, fromMs, toMs } of waits) {
    let servedMs = 0;
    for (let slice = Math.ceil(fromMs / sliceMs); slice < Math.floor(toMs / sliceMs); slice++) {
      const merchants = busySlices.get(slice);
      if (merchants !== undefined && (merchants.size > 1 || !merchants.has(merchantId))) servedMs += sliceMs;
    }
    if (servedMs > (longest?.servedMs ?? 0)) longest = { merchantId, eventId, fromMs, toMs, servedMs };
  }
  return longest;
}

/** The waits of all merchants, those for events without trouble. */
export function allWaits({ sent, accepted, commits }: History): MerchantWait[] {
  const troubled = new Set(sent.filter((s) => s.troubled).map((s) => keyOf(s.merchantId, s.eventId)));
  const commitsOf = Map.groupBy(commits, ({ merchantId }) => merchantId);
  return [...Map.groupBy(accepted, (a) => a.merchantId)].flatMap(([merchantId, events]) => {
    const own = events.toSorted((a, b) => a.mseq - b.mseq);
    return waitsOf(own, commitsOf.get(merchantId) ?? [], troubled).map((wait) => ({ merchantId, ...wait }));
  });
}

/**
 * For each fault how long after its end the last of the merchants that were behind then had a commit, in milliseconds: the
 * lanes of a worker that was killed wait for its leases, while those of the others are served. 0 where nobody was behind.
 */
export function catchingUp(faults: readonly Injected[], waits: readonly MerchantWait[]): number[] {
  return faults.map(({ endedAtMs }) =>
    Math.round(
      waits.reduce(
        (longest, { fromMs, toMs }) => (fromMs <= endedAtMs ? Math.max(longest, toMs - endedAtMs) : longest),
        0,
      ),
    ),
  );
}

interface Wait {
  /** For which event. */
  readonly eventId: string;
  readonly fromMs: number;
  readonly toMs: number;
}

interface MerchantWait extends Wait {
  readonly merchantId: string;
}

/** @param events of one merchant, by number; @param commits of the same */
function waitsOf(
  events: readonly History['accepted'][number][],
  commits: readonly Commit[],
  troubled: ReadonlySet<string>,
): Wait[] {
  const waits: Wait[] = [];
  let cursor = 0;
  let lastMs = 0;
  for (const commit of commits.toSorted((a, b) => a.seq - b.seq)) {
    // Numbers are dense: the event after the cursor stands at its index.
    const next = events[cursor];
    if (next !== undefined && commit.cursor > cursor && !troubled.has(keyOf(next.merchantId, next.eventId)))
      waits.push({ eventId: next.eventId, fromMs: Math.max(lastMs, next.atMs), toMs: commit.atMs });
    cursor = Math.max(cursor, commit.cursor);
    lastMs = commit.atMs;
  }
  return waits;
}

/**
 * For each fault the time from its end to the next commit of any lane, in milliseconds; null where none followed. Only
 * telling where work is left, which a load that goes on takes care of.
 */
export function recoveries(faults: readonly Injected[], commits: readonly Commit[]): (number | null)[] {
  const times = commits.map(({ atMs }) => atMs).toSorted((a, b) => a - b);
  return faults.map(({ endedAtMs }) => {
    const next = times.find((atMs) => atMs >= endedAtMs);
    return next === undefined ? null : Math.round(next - endedAtMs);
  });
}
