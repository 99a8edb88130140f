import type { MiddlewareHandler } from 'hono';
import type { GatewayEnv } from '../context.ts';
import { withDeadline } from '../../core/runtime/deadline.ts';

/**
 * Answers 503 after `ms` whatever the route is doing. The route goes on in the background until it notices; its signal
 * keeps it from committing what the caller was told did not come through in time.
 */
export function limitTime(ms: number): MiddlewareHandler<GatewayEnv> {
  return async (c, next) => {
    await withDeadline('the request', ms, async (signal) => {
      c.set('deadline', signal);
      await next();
    });
  };
}
