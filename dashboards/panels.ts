import { withDeadline } from '../core/runtime/deadline.ts';
import { type Log, onceWhileFailing } from '../core/runtime/log.ts';

/** One part of a page. When its source is away, it says so and the others still show. */
export type Panel<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string };

export type LoadPanel = <T>(name: string, load: () => Promise<T>) => Promise<Panel<T>>;

/** A little above the statement timeout, so that the database's own answer is the one that shows. */
const PANEL_DEADLINE_MS = 4_000;

export function createPanelLoader(log: Log, deadlineMs = PANEL_DEADLINE_MS): LoadPanel {
  const troubles = new Map<string, ReturnType<typeof onceWhileFailing>>();
  const troubleOf = (name: string) => {
    const trouble = troubles.get(name) ?? onceWhileFailing(log, `panel ${name}`);
    troubles.set(name, trouble);
    return trouble;
  };
  return async (name, load) => {
    try {
      const value = await withDeadline(`reading ${name}`, deadlineMs, load);
      troubleOf(name).ok();
      return { ok: true, value };
    } catch (error) {
      troubleOf(name).failing(error);
      return { ok: false, error: error instanceof Error && error.message !== '' ? error.message : String(error) };
    }
  };
}
