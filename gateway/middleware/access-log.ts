import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import type { GatewayEnv } from '../context.ts';
import type { Clock } from '../../core/runtime/clock.ts';
import type { Log } from '../../core/runtime/log.ts';
import { traceIdOf } from '../../core/runtime/tracing.ts';

/** One line a request. Never bodies, queries or headers: they hold keys and people's data. */
export function logAccess(log: Log, clock: Clock): MiddlewareHandler<GatewayEnv> {
  return async (c, next) => {
    const startedAt = clock.now();
    await next();
    const merchantId: string | undefined = c.get('merchantId');
    log.info('request', {
      method: c.req.method,
      route: routePath(c, -1),
      path: c.req.path.slice(0, 300),
      status: c.res.status,
      durationMs: clock.now() - startedAt,
      requestId: c.get('requestId'),
      correlationId: c.get('correlationId'),
      traceId: traceIdOf(c.get('traceparent')),
      ...(merchantId === undefined ? {} : { merchantId }),
    });
  };
}
