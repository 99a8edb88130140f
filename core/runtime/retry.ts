export interface RetryPolicy {
  /** Retries after the first attempt; the failure after the last one is poison. */
  retries: number;
  baseMs: number;
  capMs: number;
}

/** Lanes hold their merchant while they wait, so they start fast: about 7 s until poison. */
export const laneRetry: RetryPolicy = { retries: 3, baseMs: 1_000, capMs: 60_000 };
/** Effects wait on other people's systems and hold nobody. */
export const effectRetry: RetryPolicy = { retries: 3, baseMs: 5_000, capMs: 900_000 };

/**
 * Exponential backoff with full jitter: uniform in (0, min(cap, base · 2^(attempt−1))], so that many merchants failing at
 * once do not come back at once.
 * @param attempt 1 for the first failure
 * @param random in [0, 1)
 */
export function backoffMs(attempt: number, policy: RetryPolicy, random: number): number {
  const ceiling = Math.min(policy.capMs, policy.baseMs * 2 ** Math.max(0, attempt - 1));
  return Math.max(1, Math.round((1 - random) * ceiling));
}
