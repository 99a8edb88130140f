/** Calls of Meta's API, as its adapter makes them. */
export interface MetaCalls {
  call: (
    request: { method: 'GET' | 'POST' | 'DELETE'; path: string; body?: unknown },
    signal: AbortSignal,
  ) => Promise<unknown>;
  all: (path: string, query: Record<string, string>, signal: AbortSignal) => Promise<unknown[]>;
}

export const metaStatuses = { active: 'ACTIVE', paused: 'PAUSED', ended: 'ARCHIVED' } as const;
export const metaStates = { ACTIVE: 'active', PAUSED: 'paused', ARCHIVED: 'ended', DELETED: 'ended' } as const;
