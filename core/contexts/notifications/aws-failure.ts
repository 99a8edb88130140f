import { LanewayError } from '../../runtime/errors.ts';

/** The connection was never made, so that nothing can have been sent. */
const NOT_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

/** Names under which SES and SNS say that the account may not send now, in contrast to not this message. */
const NOT_NOW = new Set([
  'SendingPausedException',
  'AccountSuspendedException',
  'LimitExceededException',
  'KMSThrottlingException',
  'ServiceUnavailable',
  'ServiceUnavailableException',
]);
const TOO_OFTEN = new Set(['TooManyRequestsException', 'ThrottlingException', 'Throttling', 'ThrottledException']);

const read = (error: unknown): { name: string; code: string; status: number; retryAfter: string | undefined } => {
  const empty = { name: '', code: '', status: 0, retryAfter: undefined };
  if (!(error instanceof Error)) return empty;
  const { $metadata, $response, code } = error as Error & {
    // What the SDK adds to its errors; typed by each service, alike in all of them.
    $metadata?: { httpStatusCode?: number };
    $response?: { headers?: Record<string, string> };
    code?: string;
  };
  return {
    name: error.name,
    code: code ?? '',
    status: $metadata?.httpStatusCode ?? 0,
    retryAfter: $response?.headers?.['retry-after'],
  };
};

/**
 * What a failed send says about the message. SES and SNS take no idempotency key and keep no record that can be asked for
 * one message, so a call that may have got through must never be made again.
 */
export function failureOfSend(service: string, error: unknown): LanewayError {
  if (error instanceof LanewayError) return error;
  const { name, code, status, retryAfter } = read(error);
  const said = `${service}: ${error instanceof Error ? `${name}: ${error.message}` : String(error)}`.slice(0, 500);
  const later = { retry: 'backoff', cause: error } as const;
  if (TOO_OFTEN.has(name) || status === 429) {
    const seconds = Number(retryAfter);
    const detail = Number.isFinite(seconds) && seconds > 0 ? { retryAfterMs: seconds * 1_000 } : {};
    return new LanewayError('effect.limited', said, { ...later, detail });
  }
  if (NOT_SENT.has(code) || NOT_NOW.has(name) || status === 503)
    return new LanewayError('effect.unavailable', said, later);
  if (status >= 400 && status < 500) return new LanewayError('effect.rejected', said, { cause: error });
  return new LanewayError('effect.outcome_unknown', said, later);
}

/** For `probe`: nobody can say what became of a message. */
export const keepsNoRecord = (service: string): LanewayError =>
  new LanewayError(
    'effect.outcome_unknown',
    `${service} did not answer, and keeps no record by which it could be found out: the message is not sent again`,
  );
