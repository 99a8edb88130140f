import { type ErrorCode, LanewayError } from '../../runtime/errors.ts';
import { readBounded } from '../../runtime/read-bounded.ts';

export interface NetworkRequest {
  method: 'GET' | 'POST' | 'DELETE';
  url: string;
  headers: Record<string, string>;
  /** Sent as JSON; a string or form as it is. */
  body?: unknown;
  /** A read changes nothing, whatever its method: without an answer its outcome is not unknown. */
  write: boolean;
  /** Of the answer; 1 MB when it is not given. */
  maxBytes?: number;
}

/** An answer as it came; `json` is undefined when it is none. */
export interface NetworkAnswer {
  status: number;
  headers: Headers;
  json: unknown;
  text: string;
}

/**
 * What a network says in an answer that is not a success, in our words:
 * `rejected` for good; `conflict` not now, somebody else is at it; `limited` too often; `unauthorized` the token is not
 * accepted; `away` it is out of service and did nothing; `unknown` nobody can say whether it was done.
 */
export interface Refusal {
  kind: 'rejected' | 'conflict' | 'limited' | 'unauthorized' | 'away' | 'unknown';
  said: string;
  retryAfterMs?: number | undefined;
}

/** How a network says no: undefined for a success. Only asked about answers that are JSON. */
export type ReadRefusal = (answer: NetworkAnswer) => Refusal | undefined;

const MAX_ANSWER_BYTES = 1_000_000;
/** The connection was never made, so the call was certainly not carried out. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

const codes = {
  rejected: 'effect.rejected',
  conflict: 'effect.conflict',
  limited: 'effect.limited',
  unauthorized: 'effect.unauthorized',
  away: 'effect.unavailable',
  unknown: 'effect.outcome_unknown',
} as const satisfies Record<Refusal['kind'], ErrorCode>;

/**
 * One call with its answer as JSON. Throws `effect.rejected` (never retried) when the network refused for good;
 * `effect.conflict`, `effect.limited`, `effect.unauthorized` and `effect.unavailable` when the call was certainly not carried
 * out; `effect.outcome_unknown` when a write may have been.
 */
export async function callNetwork(
  request: NetworkRequest,
  signal: AbortSignal,
  readRefusal: ReadRefusal,
): Promise<unknown> {
  const { method, url, headers, body, write } = request;
  const raw = body === undefined || typeof body === 'string' || body instanceof FormData;
  let answer: NetworkAnswer;
  try {
    const response = await fetch(url, {
      method,
      signal,
      redirect: 'error',
      headers: { accept: 'application/json', ...(raw ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
    });
    const text = await readBounded(response, request.maxBytes ?? MAX_ANSWER_BYTES);
    answer = { status: response.status, headers: response.headers, text, json: parsed(text) };
  } catch (error) {
    throw notAnswered(error, write);
  }
  const refusal = answer.json === undefined ? byStatus(answer) : readRefusal(answer);
  if (refusal === undefined) return answer.json;
  throw refused(refusal, write);
}

/** An answer that the network does not document leaves open what a write did; a read changed nothing. */
export const notUnderstood = (write: boolean, cause: unknown): LanewayError =>
  new LanewayError(
    write ? 'effect.outcome_unknown' : 'effect.unavailable',
    'the ad network answered something that it does not document',
    { retry: 'backoff', cause },
  );

/** What an HTTP status says when the body says nothing. */
export function byStatus({ status, headers, text }: NetworkAnswer): Refusal | undefined {
  const said = `${status}: ${text.slice(0, 300)}`;
  const seconds = Number(headers.get('retry-after'));
  const retryAfterMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : undefined;
  if (status === 429) return { kind: 'limited', said, retryAfterMs };
  // Not read in time, too early, out of service: all say that nothing was done.
  if ([408, 425, 503].includes(status)) return { kind: 'away', said, retryAfterMs };
  if (status === 401) return { kind: 'unauthorized', said };
  if (status >= 500) return { kind: 'unknown', said };
  if (status >= 400) return { kind: 'rejected', said };
  return { kind: 'unknown', said: `an answer that is not JSON: ${said}` };
}

function refused({ kind, said, retryAfterMs }: Refusal, write: boolean): LanewayError {
  const hint = kind === 'unauthorized' ? ' (check the credentials for this network)' : '';
  const code = kind === 'unknown' && !write ? 'effect.unavailable' : codes[kind];
  return new LanewayError(code, `the ad network answered ${said}${hint}`, {
    retry: kind === 'rejected' ? 'never' : 'backoff',
    ...(retryAfterMs === undefined ? {} : { detail: { retryAfterMs } }),
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && error.cause instanceof Error && 'code' in error.cause ? String(error.cause.code) : '';

/** A read that got no answer changed nothing; a write may have been carried out. */
function notAnswered(error: unknown, write: boolean): LanewayError {
  const reason = error instanceof Error ? `${error.message} ${codeOf(error)}`.trim() : String(error);
  if (!write || NOT_SENT.has(codeOf(error)))
    return new LanewayError('effect.unavailable', `the ad network cannot be reached: ${reason}`, {
      retry: 'backoff',
      cause: error,
    });
  return new LanewayError('effect.outcome_unknown', `no answer from the ad network: ${reason}`, {
    retry: 'backoff',
    cause: error,
  });
}
