import type { Report } from '../checker/report-money.ts';

export interface OnceResult {
  readonly events: number;
  readonly emitted: number;
  readonly resent: number;
  readonly applied: number;
  readonly skipped: number;
  /** Sent although nobody can read them. */
  readonly poison: number;
  /** Poison included. */
  readonly deadLettered: number;
  /** The same by who gave up and why. */
  readonly deadLetteredBy: Readonly<Record<string, number>>;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly eventsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly seed: number;
  /** What the system's reports say, beside what the sent events come to. */
  readonly reports: Readonly<Record<string, Report>>;
  /** It did not come to rest. */
  readonly stalled: boolean;
}

/** Poison is expected among the dead letters; a report that is off by a cent is not. */
export const isFaultless = ({
  stalled,
  lost,
  duplicated,
  reordered,
  reports,
}: Pick<OnceResult, 'stalled' | 'lost' | 'duplicated' | 'reordered' | 'reports'>): boolean =>
  !stalled && lost === 0 && duplicated === 0 && reordered === 0 && Object.values(reports).every(({ match }) => match);
