import { LanewayError } from '../../runtime/errors.ts';

export interface AdNetworkHttp {
  baseUrl: string;
  token: string;
}

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

/** Request not read in time, too early, too many, out of service: all say that nothing was done. */
const NOT_CARRIED_OUT = new Set([408, 425, 429, 503]);
const TOO_MANY = 429;

/**
 * One call with its answer as JSON. Throws `effect.rejected` when the network refused for good, `effect.unavailable` when
 * the call was not carried out and may be repeated, `effect.limited` when that was because there were too many, and `effect.outcome_unknown` when nobody can say.
 */
export async function callAdNetwork(
  { baseUrl, token }: AdNetworkHttp,
  method: 'GET' | 'POST' | 'PATCH',
  path: string,
  signal: AbortSignal,
  change?: { idempotencyKey: string; body: Record<string, unknown> },
): Promise<unknown> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(baseUrl + path, {
      method,
      signal,
      redirect: 'error',
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'application/json',
        // Most networks know no such header. Those that do then refuse by themselves to do the same call twice.
        ...(change === undefined
          ? {}
          : { 'content-type': 'application/json', 'idempotency-key': change.idempotencyKey }),
      },
      ...(change === undefined ? {} : { body: JSON.stringify(change.body) }),
    });
    text = await readBounded(response);
  } catch (error) {
    throw notAnswered(error, method);
  }
  if (!response.ok) throw refusal(response, text, method);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw notUnderstood(method, error);
  }
}

/** An answer that the network does not document leaves open what a write did; a read changed nothing. */
export const notUnderstood = (method: string, cause: unknown): LanewayError =>
  new LanewayError(
    method === 'GET' ? 'effect.unavailable' : 'effect.outcome_unknown',
    'the ad network answered something that it does not document',
    { retry: 'backoff', cause },
  );

async function readBounded(response: Response): Promise<string> {
  let size = 0;
  const parts: Uint8Array[] = [];
  const body: AsyncIterable<Uint8Array> | null = response.body;
  for await (const part of body ?? []) {
    size += part.byteLength;
    if (size > MAX_ANSWER_BYTES) throw new Error(`the answer is over ${MAX_ANSWER_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

const codeOf = (error: unknown): string =>
  error instanceof Error && error.cause instanceof Error && 'code' in error.cause ? String(error.cause.code) : '';

/** A read that got no answer changed nothing; a write may have been carried out. */
function notAnswered(error: unknown, method: string): LanewayError {
  const reason = error instanceof Error ? `${error.message} ${codeOf(error)}`.trim() : String(error);
  if (method === 'GET' || NOT_SENT.has(codeOf(error)))
    return new LanewayError('effect.unavailable', `the ad network cannot be reached: ${reason}`, {
      retry: 'backoff',
      cause: error,
    });
  return new LanewayError('effect.outcome_unknown', `no answer from the ad network: ${reason}`, {
    retry: 'backoff',
    cause: error,
  });
}

function refusal(response: Response, text: string, method: string): LanewayError {
  const { status } = response;
  const said = `the ad network answered ${status}: ${text.slice(0, 300)}`;
  if (NOT_CARRIED_OUT.has(status)) {
    const seconds = Number(response.headers.get('retry-after'));
    return new LanewayError(status === TOO_MANY ? 'effect.limited' : 'effect.unavailable', said, {
      retry: 'backoff',
      ...(Number.isFinite(seconds) && seconds > 0 ? { detail: { retryAfterMs: seconds * 1_000 } } : {}),
    });
  }
  if (status >= 500) {
    const code = method === 'GET' ? 'effect.unavailable' : 'effect.outcome_unknown';
    return new LanewayError(code, said, { retry: 'backoff' });
  }
  const hint = status === 401 || status === 403 ? ' (check the token for this network)' : '';
  return new LanewayError('effect.rejected', said + hint);
}
