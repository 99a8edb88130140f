import type { Context, ErrorHandler, NotFoundHandler } from 'hono';
import type { GatewayEnv } from '../context.ts';
import { LanewayError } from '../../core/runtime/errors.ts';
import type { Log } from '../../core/runtime/log.ts';
import { InvalidRequest, faultsOf, statusOf, toAnswered, toProblem } from '../problem.ts';

/** Seconds after which a caller should try again: longer than the pause of a failover's connection resets. */
const RETRY_AFTER_SECONDS = '2';

/** The one place where something thrown becomes an answer. Internals go to the log, never to the caller. */
export function answerErrors(log: Log): ErrorHandler<GatewayEnv> {
  return (thrown, c) => {
    const error = toAnswered(thrown);
    if (statusOf(error.code) >= 500) {
      const cause = error.cause instanceof Error ? error.cause : error;
      log.error('request failed', {
        code: error.code,
        error: cause.message,
        stack: cause.stack,
        correlationId: c.get('correlationId'),
        requestId: c.get('requestId'),
      });
    }
    return answerProblem(c, error);
  };
}

export const answerNotFound: NotFoundHandler<GatewayEnv> = (c) =>
  answerProblem(c, toAnswered(new LanewayError('resource.not_found', `There is nothing at ${c.req.path}.`)));

export const answerMethodNotAllowed = (c: Context<GatewayEnv>, methods: string[]): Response => {
  const allowed = methods.toSorted().join(', ');
  const error = new LanewayError('request.method_not_allowed', `Use one of ${allowed}.`);
  const response = answerProblem(c, toAnswered(error));
  response.headers.set('allow', allowed);
  return response;
};

function answerProblem(c: Context<GatewayEnv>, error: ReturnType<typeof toAnswered>): Response {
  const status = statusOf(error.code);
  // A request that failed before its ids were made cannot happen: they are the first middleware.
  const problem = toProblem(error, c.get('correlationId'));
  return c.body(JSON.stringify(problem), status, {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    ...(status === 503 ? { 'retry-after': RETRY_AFTER_SECONDS } : {}),
  });
}

/** For OpenAPIHono's `defaultHook`: what a schema refuses is `request.invalid` with every fault. */
export function refuseInvalid(result: {
  success: boolean;
  target: string;
  error?: { issues: readonly { path: PropertyKey[]; message: string }[] };
}): void {
  if (result.success || result.error === undefined) return;
  const faults = faultsOf(result.target, result.error);
  throw new InvalidRequest(
    faults.length === 1 ? 'One field is not valid.' : `${faults.length} fields are not valid.`,
    faults,
  );
}
