import type { MiddlewareHandler } from 'hono';
import type { GatewayEnv } from '../context.ts';
import { newId } from '../../core/runtime/ids.ts';
import { toTraceparent } from '../../core/runtime/tracing.ts';

/** What may go into a log line, a header and an event as it is. */
const CORRELATION_ID = /^[A-Za-z0-9_.:@/+=-]{1,128}$/;

/**
 * Gives every request its ids and says them in the answer: a request id of ours, unique; a correlation id, the caller's
 * if it is well-formed; a trace, continued if the caller sent one.
 */
export const identify: MiddlewareHandler<GatewayEnv> = async (c, next) => {
  const offered = c.req.header('x-correlation-id');
  const requestId = newId();
  const correlationId = offered !== undefined && CORRELATION_ID.test(offered) ? offered : newId();
  const traceparent = toTraceparent(c.req.header('traceparent') ?? c.req.header('x-amzn-trace-id'));
  c.set('requestId', requestId);
  c.set('correlationId', correlationId);
  c.set('traceparent', traceparent);
  await next();
  c.header('x-request-id', requestId);
  c.header('x-correlation-id', correlationId);
  c.header('traceparent', traceparent);
};
