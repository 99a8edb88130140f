import type { MiddlewareHandler } from 'hono';
import type { GatewayDependencies, GatewayEnv } from '../context.ts';
import { hashApiKey, merchantOfApiKey } from '../../core/contexts/access/reads.ts';
import type { Clock } from '../../core/runtime/clock.ts';
import { LanewayError } from '../../core/runtime/errors.ts';

const KEY = /^lw_[A-Za-z0-9_-]{16,128}$/;
/** How long a revoked key may still work. */
const CACHE_MS = 30_000;
const CACHE_KEYS = 10_000;

/** `Authorization: Bearer lw_…` or `x-api-key: lw_…` gives `merchantId`; everything else is 401. */
export function authenticate({ db, clock }: Pick<GatewayDependencies, 'db' | 'clock'>): MiddlewareHandler<GatewayEnv> {
  const merchantOf = rememberMerchants(clock, (key) => merchantOfApiKey(db, key));
  return async (c, next) => {
    const key = offeredKey(c.req.header('authorization'), c.req.header('x-api-key'));
    if (key === undefined)
      throw new LanewayError(
        'access.unauthenticated',
        'Send your API key as `Authorization: Bearer lw_…` or as `x-api-key: lw_…`.',
      );
    const merchantId = KEY.test(key) ? await merchantOf(key) : undefined;
    if (merchantId === undefined)
      throw new LanewayError('access.unauthenticated', 'The API key is unknown, revoked or expired.');
    c.set('merchantId', merchantId);
    await next();
    // Caches know that Authorization makes an answer private; of x-api-key they know nothing.
    c.header('cache-control', 'no-store');
  };
}

function offeredKey(authorization: string | undefined, apiKey: string | undefined): string | undefined {
  const bearer = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  return bearer ?? apiKey;
}

interface Remembered {
  merchant: Promise<string | undefined>;
  expiresAt: number;
}

/**
 * A burst of requests with one key asks the database once: the first call's promise serves the others, and its answer
 * stays for `CACHE_MS`. Only hashes are kept, and nothing about keys that turned out unknown, which would let anybody push
 * out the known ones, or that could not be looked up.
 */
export function rememberMerchants(
  clock: Clock,
  look: (key: string) => Promise<string | undefined>,
): (key: string) => Promise<string | undefined> {
  const remembered = new Map<string, Remembered>();
  return async (key) => {
    const hash = hashApiKey(key).toString('base64');
    const known = remembered.get(hash);
    if (known !== undefined && known.expiresAt > clock.now()) return await known.merchant;
    const entry: Remembered = { merchant: look(key), expiresAt: clock.now() + CACHE_MS };
    remembered.delete(hash);
    remembered.set(hash, entry);
    const oldest = remembered.keys().next();
    if (remembered.size > CACHE_KEYS && oldest.done !== true) remembered.delete(oldest.value);
    let merchant: string | undefined;
    try {
      merchant = await entry.merchant;
    } finally {
      if (merchant === undefined && remembered.get(hash) === entry) remembered.delete(hash);
    }
    return merchant;
  };
}
