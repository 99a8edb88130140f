import { type Classified, classify } from './classify.ts';
import { type FindDependencies, type Letters, type Listed, lookIntoQueues } from './find-items.ts';
import type { ItemFilter } from './items.ts';
import { readDeadItems } from './read-dead.ts';

export type Planned = Listed & Classified & { chosen: boolean };

export interface Plan {
  /** All that were looked at, in their order. */
  planned: readonly Planned[];
  letters: readonly Letters[];
  /** True when there are more, which nobody has looked at. */
  more: boolean;
  /** What `after` takes to go on; null at the end of what was accepted. */
  next: string | null;
}

const PAGE = 200;
/** Each costs a look at its journal: a command ends, and says where to go on. */
const MOST_LOOKED_AT = 2_000;

/**
 * What a redrive would take, at most the filter's limit: what is safe, and the classes that somebody includes. What it leaves
 * does not count against the limit, or those that nobody redrives would hide all that came later.
 */
export async function planRedrive(
  deps: FindDependencies,
  filter: ItemFilter,
  include: readonly string[],
  mostLookedAt = MOST_LOOKED_AT,
): Promise<Plan> {
  const { letters, messages, listed } = await lookIntoQueues(deps, filter);
  const planned: Planned[] = [];
  let chosen = 0;
  const isFull = () => chosen >= filter.limit || planned.length >= mostLookedAt;
  const look = async (item: Listed): Promise<void> => {
    const classified = await classify(deps.db, deps.registry, item);
    const isChosen = classified.order === 'safe' || include.includes(classified.order);
    planned.push({ ...item, ...classified, chosen: isChosen });
    if (isChosen) chosen += 1;
  };
  let after = filter.after;
  for (let more = true; more;) {
    const page = await readDeadItems(deps.db, deps.registry, { filter, after, limit: PAGE });
    for (const { item, place } of page.items) {
      if (isFull()) return { planned, letters, more: true, next: after ?? null };
      await look(listed(item));
      after = place;
    }
    more = page.more;
  }
  for (const message of messages) {
    if (isFull()) return { planned, letters, more: true, next: null };
    await look(message);
  }
  return { planned, letters, more: false, next: null };
}

/** What is worth showing of a plan: all that it takes, and not more of what it leaves. */
export function shownOf(planned: readonly Planned[], limit: number): readonly Planned[] {
  let left = 0;
  return planned.filter(({ chosen }) => chosen || ++left <= limit);
}

export function countOf(planned: readonly Planned[]) {
  const count = (order: Classified['order']) => planned.filter((item) => item.order === order).length;
  return {
    safe: count('safe'),
    superseded: count('superseded'),
    conflicting: count('conflicting'),
    gone: count('gone'),
    chosen: planned.filter(({ chosen }) => chosen).length,
  };
}
