/** A calendar month in UTC. */
export interface Month {
  /** `2026-10` */
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
}

/** The last month that is over: what a billing cycle is about. */
export function monthBefore(nowMs: number): Month {
  const now = new Date(nowMs);
  const startMs = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1, 1);
  return {
    name: new Date(startMs).toISOString().slice(0, 7),
    startMs,
    endMs: Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1),
  };
}
