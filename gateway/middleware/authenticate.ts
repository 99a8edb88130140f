import type { MiddlewareHandler } from 'hono';
import type { GatewayDependencies, GatewayEnv } from '../context.ts';
import { type Principal, hashApiKey, principalOfApiKey } from '../../core/contexts/access/reads.ts';
import type { Clock } from '../../core/runtime/clock.ts';
import { LanewayError } from '../../core/runtime/errors.ts';

const KEY = /^lw_[A-Za-z0-9_-]{16,128}$/;
/** How long a revoked key may still work. */
const CACHE_MS = 30_000;
const CACHE_KEYS = 10_000;

/** `Authorization: Bearer lw_…` or `x-api-key: lw_…` gives `principal` and `merchantId`; everything else is 401. */
export function authenticate({ db, clock }: Pick<GatewayDependencies, 'db' | 'clock'>): MiddlewareHandler<GatewayEnv> {
  const principalOf = rememberKeys<Principal>(clock, (key) => principalOfApiKey(db, key));
  return async (c, next) => {
    const key = offeredKey(c.req.header('authorization'), c.req.header('x-api-key'));
    if (key === undefined)
      throw new LanewayError(
        'access.unauthenticated',
        'Send your API key as `Authorization: Bearer lw_…` or as `x-api-key: lw_…`.',
      );
    const principal = KEY.test(key) ? await principalOf(key) : undefined;
    if (principal === undefined)
      throw new LanewayError('access.unauthenticated', 'The API key is unknown, revoked or expired.');
    c.set('principal', principal);
    c.set('merchantId', principal.merchantId);
    await next();
    // Caches know that Authorization makes an answer private; of x-api-key they know nothing.
    c.header('cache-control', 'no-store');
  };
}

function offeredKey(authorization: string | undefined, apiKey: string | undefined): string | undefined {
  const bearer = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  return bearer ?? apiKey;
}

interface Remembered<Known> {
  known: Promise<Known | undefined>;
  expiresAt: number;
}

/**
 * A burst of requests with one key asks the database once: the first call's promise serves the others, and its answer
 * stays for `CACHE_MS`. Only hashes are kept, and nothing about keys that turned out unknown, which would let anybody push
 * out the known ones, or that could not be looked up.
 */
export function rememberKeys<Known>(
  clock: Clock,
  look: (key: string) => Promise<Known | undefined>,
): (key: string) => Promise<Known | undefined> {
  const remembered = new Map<string, Remembered<Known>>();
  return async (key) => {
    const hash = hashApiKey(key).toString('base64');
    const known = remembered.get(hash);
    if (known !== undefined && known.expiresAt > clock.now()) return await known.known;
    const entry: Remembered<Known> = { known: look(key), expiresAt: clock.now() + CACHE_MS };
    remembered.delete(hash);
    remembered.set(hash, entry);
    const oldest = remembered.keys().next();
    if (remembered.size > CACHE_KEYS && oldest.done !== true) remembered.delete(oldest.value);
    let answer: Known | undefined;
    try {
      answer = await entry.known;
    } finally {
      if (answer === undefined && remembered.get(hash) === entry) remembered.delete(hash);
    }
    return answer;
  };
}
