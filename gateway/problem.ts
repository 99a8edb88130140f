import { z } from '@hono/zod-openapi';
import { HTTPException } from 'hono/http-exception';
import { type ErrorCode, LanewayError, isInfrastructureError, isStatementTimeout } from '../core/runtime/errors.ts';

/** RFC 9457 problem documents: the one shape in which the gateway says no. */

interface Answer {
  status: 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 422 | 500 | 503;
  title: string;
}

const answers = {
  'request.invalid': { status: 400, title: 'The request is not valid' },
  'access.unauthenticated': { status: 401, title: 'A valid API key is needed' },
  'access.signature_invalid': { status: 401, title: 'The signature is not valid' },
  'access.forbidden': { status: 403, title: 'The API key does not reach that far' },
  'resource.not_found': { status: 404, title: 'There is no such resource' },
  'campaigns.not_found': { status: 404, title: 'There is no such campaign' },
  'notifications.not_found': { status: 404, title: 'There is no such notification' },
  'webhooks.not_found': { status: 404, title: 'There is no such webhook endpoint' },
  'request.method_not_allowed': { status: 405, title: 'The resource has no such method' },
  'request.conflict': { status: 409, title: 'The same request is still running' },
  'campaigns.illegal_transition': { status: 409, title: 'The campaign cannot enter this state' },
  'notifications.already_sent': { status: 409, title: 'The notification is sent already' },
  'platform.quota_reached': { status: 409, title: 'There are as many as the plan allows' },
  'audiences.not_found': { status: 404, title: 'There is no such audience' },
  'audiences.identifier_invalid': { status: 400, title: 'A member cannot be identified' },
  'campaigns.approval_required': { status: 403, title: 'The campaign needs approval' },
  'campaigns.schedule_invalid': { status: 400, title: 'The schedule is not possible' },
  'campaigns.too_many_ads': { status: 409, title: 'There are too many ad sets or ads' },
  'campaigns.too_many_rules': { status: 409, title: 'There are too many rules' },
  'offers.not_found': { status: 404, title: 'There is no such offer' },
  'offers.invalid': { status: 400, title: 'The offer could never hold' },
  'offers.illegal_change': { status: 409, title: 'The offer cannot be changed like this' },
  'offers.too_many': { status: 409, title: 'There are too many offers' },
  'imports.too_many': { status: 409, title: 'There are too many open imports' },
  'imports.illegal_state': { status: 409, title: 'The import takes this no more, or not yet' },
  'access.last_owner': { status: 409, title: 'Somebody has to own the account' },
  'access.last_key': { status: 409, title: 'Somebody has to be able to make keys' },
  'request.too_large': { status: 413, title: 'The request is too large' },
  'request.media_type': { status: 415, title: 'The body must be JSON' },
  'request.key_reused': { status: 422, title: 'The idempotency key belongs to another request' },
  'notifications.template_invalid': { status: 422, title: 'The template cannot be used' },
  'webhooks.url_refused': { status: 422, title: 'The address of the endpoint is refused' },
  'internal.unexpected': { status: 500, title: 'Something went wrong on our side' },
  'service.unavailable': { status: 503, title: 'The service cannot answer right now' },
} as const satisfies Partial<Record<ErrorCode, Answer>>;

export type AnsweredCode = keyof typeof answers;
export const statusOf = (code: AnsweredCode): Answer['status'] => answers[code].status;

const isAnswered = (code: ErrorCode): code is AnsweredCode => Object.hasOwn(answers, code);
// Object.keys of a constant object gives its keys; the compiler only promises strings.
const answeredCodes = Object.keys(answers) as AnsweredCode[];

/** Where in the request a fault lies: `changes.3.timestamp`, and what is wrong with it. */
export interface Fault {
  path: string;
  message: string;
}

/** A hostile body can hold a fault per byte. */
const MAX_FAULTS = 1_000;

/** `request.invalid` together with every fault found, all of them public. */
export class InvalidRequest extends LanewayError {
  readonly faults: readonly Fault[];

  constructor(message: string, faults: readonly Fault[] = []) {
    super('request.invalid', message);
    this.faults = faults.slice(0, MAX_FAULTS);
  }
}

export const faultsOf = (where: string, error: { issues: readonly { path: PropertyKey[]; message: string }[] }) =>
  error.issues.map((issue): Fault => {
    const path = issue.path.map(String).join('.');
    return { path: where === 'json' ? path : [where, path].filter(Boolean).join('.'), message: issue.message };
  });

export const problemSchema = z
  .object({
    type: z.string().openapi({ example: 'urn:laneway:problem:request.invalid' }),
    title: z.string().openapi({ example: 'The request is not valid' }),
    status: z.int().openapi({ example: 400 }),
    code: z.enum(answeredCodes).openapi({ description: 'Stable; what a program should look at.' }),
    detail: z.string(),
    errors: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .optional()
      .openapi({ example: [{ path: 'dailyBudgetMinor', message: 'Invalid input: expected number' }] }),
    correlationId: z.string().openapi({ description: 'Quote it when asking for help.' }),
  })
  .openapi('Problem');

export type Problem = z.infer<typeof problemSchema>;

/** Whatever was thrown, as one of the answers. What has none is our own fault, and its message stays inside. */
export function toAnswered(thrown: unknown): LanewayError & { code: AnsweredCode } {
  const error = translate(thrown);
  // `translate` returns a code that has an answer; a LanewayError carries the whole set in its type.
  return error as LanewayError & { code: AnsweredCode };
}

function translate(thrown: unknown): LanewayError {
  if (thrown instanceof LanewayError && isAnswered(thrown.code)) return thrown;
  if (thrown instanceof HTTPException) return translateHttp(thrown);
  if (thrown instanceof LanewayError && thrown.code === 'handler.deadline')
    return unavailable('The answer took too long; whether the request took effect is not known.', thrown);
  if (isInfrastructureError(thrown) || isStatementTimeout(thrown))
    return unavailable('A server behind this one cannot be reached; nothing was changed.', thrown);
  return new LanewayError('internal.unexpected', 'The request failed. Quote the correlation id when asking for help.', {
    cause: thrown,
  });
}

const unavailable = (message: string, cause: unknown) =>
  new LanewayError('service.unavailable', message, { retry: 'backoff', cause });

function translateHttp(thrown: HTTPException): LanewayError {
  switch (thrown.status) {
    case 400:
      return new InvalidRequest('The body is not JSON.', [{ path: '', message: 'is not JSON' }]);
    case 413:
      return new LanewayError('request.too_large', 'The body is larger than 1 MB.');
    case 415:
      return new LanewayError('request.media_type', 'Send the body with `Content-Type: application/json`.');
    default:
      return new LanewayError('internal.unexpected', 'The request failed.', { cause: thrown });
  }
}

export function toProblem(error: LanewayError & { code: AnsweredCode }, correlationId: string): Problem {
  const { status, title } = answers[error.code];
  return {
    type: `urn:laneway:problem:${error.code}`,
    title,
    status,
    code: error.code,
    detail: error.message,
    ...(error instanceof InvalidRequest && error.faults.length > 0 ? { errors: [...error.faults] } : {}),
    correlationId,
  };
}

/** The problem responses of a route, for its OpenAPI description. */
export function problemResponses(...codes: AnsweredCode[]) {
  const byStatus = Map.groupBy(codes, statusOf);
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      status,
      {
        description: group.map((code) => `\`${code}\`: ${answers[code].title}`).join('; '),
        content: { 'application/problem+json': { schema: problemSchema } },
      },
    ]),
  );
}
