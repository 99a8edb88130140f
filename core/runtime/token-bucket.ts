/**
 * A rate limit as arithmetic. Who keeps the bucket, and under which lock, is the caller's business; time is what the caller
 * says it is, and a clock that is behind the bucket's last reading adds nothing and takes nothing away.
 */
export interface TokenBucket {
  perSecond: number;
  /** Tokens as of `at`. */
  tokens: number;
  /** Epoch milliseconds. */
  at: number;
}

/** What may pass at once after a pause: a second's worth, and never less than one. */
export const capacityOf = (perSecond: number): number => Math.max(1, perSecond);

export const fullBucket = (perSecond: number, now: number): TokenBucket => ({
  perSecond,
  tokens: capacityOf(perSecond),
  at: now,
});

export function refill(bucket: TokenBucket, now: number): TokenBucket {
  const elapsedMs = Math.max(0, now - bucket.at);
  const tokens = Math.min(capacityOf(bucket.perSecond), bucket.tokens + (elapsedMs / 1_000) * bucket.perSecond);
  return { ...bucket, tokens, at: bucket.at + elapsedMs };
}

/** Whole tokens there are. The sum of many small refills may miss a whole one by a rounding error. */
export const wholeTokens = (bucket: TokenBucket): number => Math.floor(bucket.tokens + 1e-6);

export const take = (bucket: TokenBucket, count: number): TokenBucket => ({
  ...bucket,
  tokens: Math.max(0, bucket.tokens - count),
});

/** When the bucket will hold `count` tokens, which must not be more than its capacity; epoch milliseconds. */
export const tokensAt = (bucket: TokenBucket, count: number): number =>
  bucket.at + Math.ceil((Math.max(0, count - bucket.tokens) / bucket.perSecond) * 1_000);
