export interface Original {
  readonly messageId: string;
  readonly sequenceNumber: string;
  readonly at: number;
}

const windowMs = 5 * 60_000;

/**
 * What a FIFO queue or topic accepted within five minutes, by deduplication id. Bounded by time alone: a cap on the
 * number of ids would let duplicates through under load.
 */
export class DedupeWindow {
  /** Oldest first, since times only grow. */
  readonly #originals = new Map<string, Original>();

  find(key: string, now: number): Original | undefined {
    for (const [oldest, { at }] of this.#originals) {
      if (at > now - windowMs) break;
      this.#originals.delete(oldest);
    }
    return this.#originals.get(key);
  }

  record(key: string, original: Original): void {
    this.#originals.set(key, original);
  }

  entries(): [string, Original][] {
    return [...this.#originals];
  }
}

/** The same id in two groups is two messages where the scope is the group. */
export function dedupeKey(deduplicationId: string, groupId: string, perGroup: boolean): string {
  return perGroup ? `${groupId}\0${deduplicationId}` : deduplicationId;
}
