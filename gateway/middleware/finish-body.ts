import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { MiddlewareHandler } from 'hono';
import type { GatewayEnv } from '../context.ts';

/** What a client sends of a refused body in this time is read, so that it gets to the answer and can go on. */
const LINGER_MS = 2_000;

/**
 * An answer can be there before its request's body is: it was too large, or the caller is not known. What was not read would
 * stand in the way of the connection's next request, and the server ends such a connection soon, whatever its client sends
 * meanwhile. So the rest is read and thrown away; where there is no end to it, the answer says that the connection closes.
 */
export const finishBody: MiddlewareHandler<GatewayEnv> = async (c, next) => {
  await next();
  const { incoming } = c.env ?? {};
  if (incoming === undefined || incoming.complete || incoming.destroyed) return;
  const deadline: AbortSignal | undefined = c.get('deadline');
  // Past its deadline a route may read on, and must not take the end of what it was left for the end of the body.
  const late = deadline?.aborted ?? false;
  if (late || !(await discardRest(incoming))) c.header('connection', 'close');
};

async function discardRest(incoming: IncomingMessage): Promise<boolean> {
  // Whoever began to read would hold back what it does not take.
  incoming.removeAllListeners('data');
  incoming.resume();
  return await once(incoming, 'end', { signal: AbortSignal.timeout(LINGER_MS) }).then(
    () => true,
    () => false,
  );
}
