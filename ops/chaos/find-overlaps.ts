import { type Commit, type Effect, type History, keyOf } from './history.ts';

/**
 * A lane has one committer at a time. Three things say that it had two: an owner that commits again after another one has
 * taken its place, a cursor that goes back, and a transaction that was at work before the one ahead of it had committed.
 */
export function findOverlaps({ commits, effects }: Pick<History, 'commits' | 'effects'>): string[] {
  const began = beginnings(effects);
  return [...Map.groupBy(commits, ({ merchantId }) => merchantId).values()].flatMap((own) => overlapsOf(own, began));
}

/** When the transactions that had effects are first known to have been at work. */
function beginnings(effects: readonly Effect[]): ReadonlyMap<string, number> {
  const began = new Map<string, number>();
  for (const { merchantId, transaction, atMs } of effects) {
    const key = keyOf(merchantId, transaction);
    began.set(key, Math.min(began.get(key) ?? Number.POSITIVE_INFINITY, atMs));
  }
  return began;
}

function overlapsOf(commits: readonly Commit[], began: ReadonlyMap<string, number>): string[] {
  const findings: string[] = [];
  const succeeded = new Set<string>();
  let last: Commit | undefined;
  for (const commit of commits.toSorted((a, b) => a.seq - b.seq)) {
    const { merchantId, owner, cursor, transaction } = commit;
    if (last !== undefined && last.transaction !== transaction) {
      if (owner !== last.owner) succeeded.add(last.owner);
      const start = began.get(keyOf(merchantId, transaction));
      if (succeeded.has(owner))
        findings.push(`owner ${owner} of ${merchantId} commits ${cursor} after ${last.owner} took over`);
      else if (cursor < last.cursor)
        findings.push(`the cursor of ${merchantId} goes back from ${last.cursor} to ${cursor}`);
      else if (start !== undefined && start < last.atMs)
        findings.push(`${merchantId}: the transaction up to ${cursor} began before the one up to ${last.cursor} ended`);
    }
    last = commit;
  }
  return findings;
}

/**
 * Calls of handlers that were made by a worker other than the one whose tenure it was at that time: someone who had been
 * thought dead went on until a transaction refused it. No fault by itself, and a sign that there was something to refuse.
 */
export function countStaleCalls(
  calls: readonly { readonly merchantId: string; readonly worker: string; readonly atMs: number }[],
  commits: readonly Commit[],
): number {
  const tenures = new Map<string, { owner: string; worker: string; fromMs: number; toMs: number }[]>();
  for (const { merchantId, owner, worker, atMs } of commits) {
    const own = tenures.get(merchantId) ?? [];
    const last = own.at(-1);
    if (last?.owner === owner) last.toMs = atMs;
    else own.push({ owner, worker, fromMs: atMs, toMs: atMs });
    tenures.set(merchantId, own);
  }
  return calls.filter(({ merchantId, worker, atMs }) =>
    (tenures.get(merchantId) ?? []).some((t) => t.worker !== worker && t.fromMs < atMs && atMs < t.toMs),
  ).length;
}
