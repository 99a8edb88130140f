import { createHmac, randomBytes } from 'node:crypto';
import type { SigningSecret } from './tables.ts';

/** Standard Webhooks 1.0: `whsec_` and 24 to 64 random bytes in base64. */
export const newSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`;

/** How long the secret before is signed with too, so that an app can take the new one at its leisure. */
export const OVERLAP_MS = 24 * 3_600_000;

export const firstSecret = (): SigningSecret[] => [{ secret: newSecret(), expiresAt: null }];

/** Puts a new secret first; those before end a day later, or earlier where that was said already. At most three stay. */
export function rotateSecrets(secrets: readonly SigningSecret[], nowMs: number): SigningSecret[] {
  const end = new Date(nowMs + OVERLAP_MS).toISOString();
  const older = secrets
    .filter(({ expiresAt }) => expiresAt === null || Date.parse(expiresAt) > nowMs)
    .map(({ secret, expiresAt }) => ({ secret, expiresAt: expiresAt ?? end }));
  return [{ secret: newSecret(), expiresAt: null }, ...older].slice(0, 3);
}

/**
 * The headers of one message, signed with every secret that is valid: HMAC-SHA256 over `id.timestamp.body`, as Standard
 * Webhooks 1.0 has it.
 * @param nowMs becomes `webhook-timestamp`, in seconds: receivers refuse what is older than some minutes, so it is the
 * attempt's own time
 */
export function signedHeaders(
  message: { id: string; body: string },
  secrets: readonly SigningSecret[],
  nowMs: number,
): Record<string, string> {
  const timestamp = String(Math.floor(nowMs / 1_000));
  const signatures = secrets
    .filter(({ expiresAt }) => expiresAt === null || Date.parse(expiresAt) > nowMs)
    .map(({ secret }) => {
      const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
      return `v1,${createHmac('sha256', key).update(`${message.id}.${timestamp}.${message.body}`).digest('base64')}`;
    });
  return { 'webhook-id': message.id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') };
}
