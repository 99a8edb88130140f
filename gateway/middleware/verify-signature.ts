import { createHmac, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import type { GatewayDependencies, GatewayEnv } from '../context.ts';
import { LanewayError } from '../../core/runtime/errors.ts';

/** Clocks differ and deliveries queue; older than this it may be a recording. */
const TOLERANCE_SECONDS = 300;
const MAX_SIGNATURES = 10;

/**
 * Lets a delivery of the core platform pass if one of the signatures in `x-laneway-signature` (`v1=<hex>`, several
 * separated by commas while a secret is being replaced) is the HMAC-SHA256 of `<x-laneway-timestamp>.<body as sent>`.
 */
export function verifySignature({
  clock,
  corePlatformSecret,
}: Pick<GatewayDependencies, 'clock' | 'corePlatformSecret'>): MiddlewareHandler<GatewayEnv> {
  return async (c, next) => {
    const timestamp = c.req.header('x-laneway-timestamp') ?? '';
    const offered = c.req.header('x-laneway-signature') ?? '';
    if (!/^\d{1,12}$/.test(timestamp)) throw refused('`x-laneway-timestamp` must be a time in unix seconds.');
    if (Math.abs(clock.now() / 1_000 - Number(timestamp)) > TOLERANCE_SECONDS)
      throw refused(`The timestamp is more than ${TOLERANCE_SECONDS} seconds away from our clock.`);
    const body = Buffer.from(await c.req.arrayBuffer());
    if (!isSignedBy(corePlatformSecret, timestamp, body, offered))
      throw refused('`x-laneway-signature` has no `v1` signature of this body and timestamp.');
    await next();
  };
}

const refused = (message: string) => new LanewayError('access.signature_invalid', message);

export const signatureOf = (secret: string, timestamp: string, body: Buffer): Buffer =>
  createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest();

/** Compares with every signature offered, each in constant time. */
function isSignedBy(secret: string, timestamp: string, body: Buffer, offered: string): boolean {
  const expected = signatureOf(secret, timestamp, body);
  let matches = false;
  for (const part of offered.split(',').slice(0, MAX_SIGNATURES)) {
    const hex = /^\s*v1=([0-9a-f]{64})\s*$/i.exec(part)?.[1];
    if (hex !== undefined && timingSafeEqual(expected, Buffer.from(hex, 'hex'))) matches = true;
  }
  return matches;
}
