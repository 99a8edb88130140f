import { createHash, timingSafeEqual } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';
import { basicAuth } from 'hono/basic-auth';
import type { Clock } from '../core/runtime/clock.ts';
import type { Log } from '../core/runtime/log.ts';

export interface Login {
  user: string;
  password: string;
}

/**
 * A brake on guessing, per remote address.
 *
 * open ─► braked         the last of MAX_FAILURES wrong logins within the window
 * braked ─► open         the window that began with the first of them is over
 *
 * A right login while open forgets the failures. While braked the right one is refused too: otherwise guessing would go
 * on at full speed. Memory is bounded: the address that failed longest ago is forgotten first.
 */
const MAX_FAILURES = 10;
const WINDOW_MS = 60_000;
const MAX_ADDRESSES = 10_000;

export interface Brake {
  /** Seconds until the address may try again; 0 when it may now. */
  waitSeconds(address: string): number;
  failed(address: string): void;
  succeeded(address: string): void;
}

export function createBrake(clock: Clock): Brake {
  const failures = new Map<string, { since: number; count: number }>();
  const current = (address: string) => {
    const entry = failures.get(address);
    return entry !== undefined && clock.now() - entry.since < WINDOW_MS ? entry : undefined;
  };
  return {
    waitSeconds(address) {
      const entry = current(address);
      if (entry === undefined || entry.count < MAX_FAILURES) return 0;
      return Math.max(1, Math.ceil((entry.since + WINDOW_MS - clock.now()) / 1_000));
    },
    failed(address) {
      const entry = current(address) ?? { since: clock.now(), count: 0 };
      failures.delete(address);
      failures.set(address, { since: entry.since, count: entry.count + 1 });
      if (failures.size > MAX_ADDRESSES) {
        const oldest = failures.keys().next().value;
        if (oldest !== undefined) failures.delete(oldest);
      }
    },
    succeeded: (address) => void failures.delete(address),
  };
}

const digest = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest();

/** HTTP Basic for everything behind it. Compares digests in constant time, user and password both always. */
export function requireLogin(
  login: Login,
  options: { clock: Clock; log: Log; addressOf: (context: Context) => string },
): MiddlewareHandler {
  const brake = createBrake(options.clock);
  const [user, password] = [digest(login.user), digest(login.password)];
  const authenticate = basicAuth({
    realm: 'Laneway console',
    verifyUser(givenUser, givenPassword, context) {
      const userFits = timingSafeEqual(digest(givenUser), user);
      const fits = timingSafeEqual(digest(givenPassword), password) && userFits;
      const address = options.addressOf(context);
      if (fits) brake.succeeded(address);
      else {
        brake.failed(address);
        options.log.warn('login refused', { address });
      }
      return fits;
    },
  });
  return async (context, next) => {
    const wait = brake.waitSeconds(options.addressOf(context));
    if (wait > 0) return context.text('Too many failed logins. Try again later.', 429, { 'Retry-After': String(wait) });
    return await authenticate(context, next);
  };
}
