import { LanewayError } from '../../../runtime/errors.ts';
import { readBounded } from '../../../runtime/read-bounded.ts';

/** One call of a catalog's API, with what its errors say about trying again. */
export interface FeedHttp {
  baseUrl: string;
  /** An access token that is valid now. */
  token(signal: AbortSignal): Promise<string>;
}

export interface NetworkAnswer {
  status: number;
  /** Parsed JSON; undefined for an empty body. */
  json: unknown;
  retryAfterMs: number | undefined;
}

const MAX_ANSWER_BYTES = 8_000_000;
/** The connection was never made. */
const NOT_SENT = /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT/;

/**
 * Resolves with any answer but those that say that nothing was done: they throw `effect.unavailable`, or `effect.limited`
 * for a 429. Throws `effect.outcome_unknown` when a change got no answer.
 */
export async function callFeedNetwork(
  http: FeedHttp,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  signal: AbortSignal,
  body?: Record<string, unknown>,
): Promise<NetworkAnswer> {
  const token = await http.token(signal);
  let response: Response;
  let text: string;
  try {
    response = await fetch(http.baseUrl + path, {
      method,
      signal,
      redirect: 'error',
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    text = await readBounded(response, MAX_ANSWER_BYTES);
  } catch (error) {
    throw notAnswered(method, error);
  }
  const { status } = response;
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  const retryAfterMs = seconds > 0 ? seconds * 1_000 : undefined;
  if (status === 429) throw tooMany(`answered 429: ${text.slice(0, 300)}`, retryAfterMs);
  if (status === 503 || (status >= 500 && method === 'GET'))
    throw new LanewayError('effect.unavailable', `the catalog answered ${status}`, {
      retry: 'backoff',
      detail: retryAfterMs === undefined ? {} : { retryAfterMs },
    });
  if (status >= 500)
    throw new LanewayError('effect.outcome_unknown', `the catalog answered ${status}`, { retry: 'backoff' });
  return { status, json: parse(method, text), retryAfterMs };
}

/** The network is called too often; `retryAfterMs` is how long it wants to be left alone. */
export const tooMany = (said: string, retryAfterMs?: number): LanewayError =>
  new LanewayError('effect.limited', `the catalog is called too often: ${said}`, {
    retry: 'backoff',
    detail: retryAfterMs === undefined ? {} : { retryAfterMs },
  });

/** Refused for good: account, token or request are wrong as a whole. */
export const refused = (status: number, said: string): LanewayError =>
  new LanewayError(
    'effect.rejected',
    `the catalog answered ${status}: ${said.slice(0, 300)}${status === 401 || status === 403 ? ' (check the token and the account of the feed)' : ''}`,
  );

/** An answer that is not documented leaves open what a change did. */
export const notUnderstood = (method: string, cause: unknown): LanewayError =>
  new LanewayError(
    method === 'GET' ? 'effect.unavailable' : 'effect.outcome_unknown',
    'the catalog answered something that it does not document',
    { retry: 'backoff', cause },
  );

function parse(method: string, text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw notUnderstood(method, error);
  }
}

function notAnswered(method: string, error: unknown): LanewayError {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const certain = method === 'GET' || NOT_SENT.test(code);
  return new LanewayError(
    certain ? 'effect.unavailable' : 'effect.outcome_unknown',
    `no answer from the catalog: ${error instanceof Error ? error.message : String(error)} ${code}`.trim(),
    { retry: 'backoff', cause: error },
  );
}
