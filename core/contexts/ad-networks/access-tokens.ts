import { z } from 'zod';
import { byStatus, callNetwork } from './http.ts';
import type { Clock } from '../../runtime/clock.ts';
import { LanewayError } from '../../runtime/errors.ts';

/**
 * The access token of a network.
 *
 *   none ──first call──► held ──nearly expired, or refused──► none
 *
 * One that is refreshed by several calls at once is asked for once.
 */
export interface AccessTokens {
  get(signal: AbortSignal): Promise<string>;
  /** The network does not take it any more. True when another one can be had. */
  refused(token: string): boolean;
}

/** Refreshed this long before it expires, so that none expires on its way. */
const MARGIN_MS = 60_000;

/** A token that lives until somebody replaces it in the settings. */
export const fixedToken = (token: string): AccessTokens => ({
  get: () => Promise.resolve(token),
  refused: () => false,
});

const granted = z.looseObject({ access_token: z.string().min(1), expires_in: z.number().positive() });

/** OAuth 2.0 with a refresh token, as Google does it. */
export function refreshedToken(
  credentials: { url: string; clientId: string; clientSecret: string; refreshToken: string },
  clock: Clock,
): AccessTokens {
  let held: { token: Promise<string>; value: string | undefined; until: number } | undefined;

  const ask = async (signal: AbortSignal): Promise<string> => {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: credentials.clientId,
      client_secret: credentials.clientSecret,
      refresh_token: credentials.refreshToken,
    });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const request = { method: 'POST', url: credentials.url, headers, body: form.toString(), write: false } as const;
    // A refresh token that was revoked is answered with 400.
    const answer = await callNetwork(request, signal, (each) => {
      const refusal = byStatus(each);
      if (each.status < 400) return undefined;
      return refusal?.kind === 'rejected' ? { ...refusal, kind: 'unauthorized' } : refusal;
    });
    const grant = granted.safeParse(answer);
    if (!grant.success)
      throw new LanewayError('effect.unavailable', 'the token endpoint answered without a token', {
        retry: 'backoff',
        cause: grant.error,
      });
    if (held !== undefined) {
      held.until = clock.now() + Math.max(0, grant.data.expires_in * 1_000 - MARGIN_MS);
      held.value = grant.data.access_token;
    }
    return grant.data.access_token;
  };

  return {
    async get(signal) {
      if (held === undefined || held.until <= clock.now()) {
        held = { token: Promise.resolve(''), value: undefined, until: Infinity };
        held.token = ask(signal);
      }
      const asked = held;
      try {
        return await asked.token;
      } catch (error) {
        if (held === asked) held = undefined;
        throw error;
      }
    },
    refused(token) {
      if (held?.value === token) held = undefined;
      return true;
    },
  };
}

/** Makes a call with a token, and once more with a fresh one when the first is refused: a refused call did nothing. */
export async function withToken<T>(
  tokens: AccessTokens,
  signal: AbortSignal,
  call: (token: string) => Promise<T>,
): Promise<T> {
  const token = await tokens.get(signal);
  try {
    return await call(token);
  } catch (error) {
    if (!(error instanceof LanewayError) || error.code !== 'effect.unauthorized' || !tokens.refused(token)) throw error;
    return await call(await tokens.get(signal));
  }
}
