/**
 * The closed set of exceptions. An expected result is an outcome, not an error; an error carries a stable `code`
 * (`context.what_happened`), whether trying again can help, a message that may be shown to the caller, and detail that
 * may not. Every code has a heading in ops/runbooks/failure-modes.md.
 */
export const errorCodes = [
  'envelope.not_json',
  'envelope.invalid',
  'envelope.unknown_type',
  'envelope.unsupported_version',
  'envelope.misrouted',
  'payload.invalid',
  'accept.rejected',
  'dedupe.conflict',
  'handler.failed',
  'handler.deadline',
  'worker.crashed',
  'fence.lost',
  'outbox.unsendable',
  'effect.rejected',
  'effect.unavailable',
  'effect.limited',
  'effect.unauthorized',
  'effect.conflict',
  'ad_networks.ended_outside',
  'effect.outcome_unknown',
  'operators.refused',
  'config.invalid',
  'schema.newer',
  'schema.missing',
  'campaigns.not_found',
  'campaigns.illegal_transition',
  'notifications.unknown_template',
  'notifications.template_invalid',
  'notifications.not_found',
  'notifications.already_sent',
  'webhooks.url_refused',
  'webhooks.not_found',
  'platform.quota_reached',
  'campaigns.approval_required',
  'campaigns.schedule_invalid',
  'campaigns.too_many_ads',
  'campaigns.too_many_rules',
  'offers.not_found',
  'offers.invalid',
  'offers.illegal_change',
  'offers.too_many',
  'imports.too_many',
  'imports.illegal_state',
  'catalog.product_missing',
  'audiences.not_found',
  'audiences.identifier_invalid',
  'access.unauthenticated',
  'access.signature_invalid',
  'access.forbidden',
  'access.last_owner',
  'access.last_key',
  'people.key_unusable',
  'people.erased',
  'request.invalid',
  'request.conflict',
  'request.too_large',
  'resource.not_found',
  'service.unavailable',
  'internal.unexpected',
  'request.key_reused',
  'request.media_type',
  'request.method_not_allowed',
] as const;

export type ErrorCode = (typeof errorCodes)[number];
export type Retry = 'never' | 'backoff';

export class LanewayError extends Error {
  readonly code: ErrorCode;
  /** Whether the same input can succeed later. `never` is poison at once. */
  readonly retry: Retry;
  /** For logs and operators only: ids, paths, upstream answers. */
  readonly detail: Record<string, unknown>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { retry?: Retry; cause?: unknown; detail?: Record<string, unknown> } = {},
  ) {
    // What others said is part of messages, and messages go into rows, events and letters: whatever the text, they must.
    super(withoutUnstorable(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'LanewayError';
    this.code = code;
    this.retry = options.retry ?? 'never';
    this.detail = options.detail ?? {};
  }
}

/** What is kept of a failure in `deliveries`, settlements and dead letters. */
export interface ErrorRecord {
  code: ErrorCode;
  message: string;
  /** ISO 8601. */
  at: string;
  /** First frame of ours, for the fingerprint. */
  frame?: string;
}

const MAX_MESSAGE = 1_000;

/** The one place where an unknown throwable becomes one of ours. */
export function coerceError(thrown: unknown, fallback: ErrorCode = 'handler.failed'): LanewayError {
  if (thrown instanceof LanewayError) return thrown;
  return new LanewayError(fallback, storableText(messageOf(thrown)), { retry: 'backoff', cause: thrown });
}

function messageOf(thrown: unknown): string {
  try {
    if (!(thrown instanceof Error)) return `threw ${typeof thrown}: ${String(thrown)}`;
    // Whoever threw it may have put anything there.
    const { message }: { message: unknown } = thrown;
    return String(message);
  } catch {
    // An object without a prototype has no text, and coercing what was thrown must not throw.
    return `threw ${typeof thrown}`;
  }
}

/**
 * What Postgres keeps as text and as JSON: cut, and then without U+0000 and half surrogate pairs, which a cut can make.
 * Where the record of a failure could not be written, the failure would never come to an end.
 */
export const storableText = (text: string): string => withoutUnstorable(text.slice(0, MAX_MESSAGE));

const withoutUnstorable = (text: string): string => text.replaceAll('\0', '').toWellFormed();

export function recordError(error: LanewayError, atMs: number): ErrorRecord {
  const origin = error.cause instanceof Error ? error.cause : error;
  const frame = origin.stack?.split('\n').find((line) => line.includes('.ts:') && !line.includes('node_modules'));
  return {
    code: error.code,
    message: storableText(error.message),
    at: new Date(atMs).toISOString(),
    ...(frame === undefined
      ? {}
      : {
          frame: storableText(
            frame
              .trim()
              .replace(/\(?file:\/\/.*?\/(core|workers|gateway|ops)\//, '$1/')
              .replace(/\)$/, ''),
          ),
        }),
  };
}

/**
 * SQLSTATE classes that say something about the servers and nothing about the event: connection (08), rollback by
 * deadlock or serialization (40), resources (53), lock not available (55P03), read-only after a failover (25006), idle in
 * transaction (25P03), shutdown and crash of the server (57P01–57P03).
 */
const INFRASTRUCTURE_SQLSTATE = /^(08...|40...|53...|55P03|25006|25P03|57P0[123])$/;
const INFRASTRUCTURE_SYSCALL = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

const codeOf = (thrown: unknown): string | undefined =>
  typeof thrown === 'object' && thrown !== null && 'code' in thrown && typeof thrown.code === 'string'
    ? thrown.code
    : undefined;

const LOST_CONNECTION =
  /Connection terminated|Query read timeout|timeout exceeded when trying to connect|Client has encountered a connection error|Connection is closed/;

/** What makes a failure one of infrastructure: an SQLSTATE, a system call's code, or a word; undefined when nothing does. */
function infrastructureReason(thrown: unknown): string | undefined {
  for (let error = thrown, depth = 0; error !== undefined && depth < 5; depth++) {
    if (error instanceof LanewayError && error.code === 'fence.lost') return error.code;
    const code = codeOf(error);
    if (code !== undefined && (INFRASTRUCTURE_SQLSTATE.test(code) || INFRASTRUCTURE_SYSCALL.has(code))) return code;
    if (error instanceof Error && LOST_CONNECTION.test(error.message)) return 'connection lost';
    error = error instanceof Error ? error.cause : undefined;
  }
  return undefined;
}

/** True when the failure belongs to a server, a connection or a lost lease: it must never cost a handler an attempt. */
export const isInfrastructureError = (thrown: unknown): boolean => infrastructureReason(thrown) !== undefined;

/**
 * True when the server or the connection to it is gone, in contrast to what a smaller transaction, or the same once more, may
 * be spared: deadlocks and locks that were not to be had.
 */
export const isServerAway = (thrown: unknown): boolean =>
  !/^(40...|55P03)$/.test(infrastructureReason(thrown) ?? '40000');

/** True when another transaction was in the way of this one as a whole: a deadlock, or a serialization failure. */
export const isConflict = (thrown: unknown): boolean => infrastructureReason(thrown)?.startsWith('40') === true;

/** SQLSTATE 57014: the statement ran into the deadline that was set for it. */
export const isStatementTimeout = (thrown: unknown): boolean => codeOf(thrown) === '57014';
