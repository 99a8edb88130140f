import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono, type MiddlewareHandler } from 'hono';
import { z } from 'zod';
import { failure } from './campaigns.ts';

/**
 * What goes wrong on purpose. A fault waits for the next calls it matches, oldest fault first, and is used up after
 * `times` of them.
 */
const fault = z.strictObject({
  network: z.string().optional(),
  account: z.string().optional(),
  /** Reading by tag or id is left alone unless asked for, so that `times` counts the calls that change something. */
  on: z.enum(['writes', 'reads', 'all']).default('writes'),
  /** `commit_then_drop` takes effect and then cuts the connection: the caller cannot know. `hang` does neither. */
  kind: z.enum(['error500', 'error400', 'error429', 'hang', 'commit_then_drop']),
  times: z.int().min(1),
});
type Fault = z.infer<typeof fault>;

export interface Faults {
  /** In front of the networks' API. */
  readonly middleware: MiddlewareHandler<{ Bindings: HttpBindings }>;
  /** `/_control/faults`. */
  readonly routes: Hono;
}

export function createFaults(): Faults {
  let faults: Fault[] = [];

  const take = (call: { network: string; account: string; write: boolean }): Fault['kind'] | undefined => {
    const found = faults.find(
      ({ network, account, on }) =>
        (network === undefined || network === call.network) &&
        (account === undefined || account === call.account) &&
        (on === 'all' || call.write === (on === 'writes')),
    );
    if (found === undefined) return undefined;
    found.times -= 1;
    faults = faults.filter(({ times }) => times > 0);
    return found.kind;
  };

  const middleware: Faults['middleware'] = async (c, next) => {
    const [, network = '', , , account = ''] = c.req.path.split('/').map(decodeURIComponent);
    const kind = take({ network, account, write: c.req.method !== 'GET' });
    switch (kind) {
      case undefined:
        return next();
      case 'error500':
        return c.json(failure('internal', 'injected'), 500);
      case 'error400':
        return c.json(failure('invalid_argument', 'injected'), 400);
      case 'error429':
        return c.json(failure('rate_limited', 'injected'), 429, { 'retry-after': '1' });
      case 'hang':
        // Ends when the caller gives up, or with this server.
        await new Promise((resolve) => c.env.outgoing.once('close', resolve));
        return RESPONSE_ALREADY_SENT;
      case 'commit_then_drop':
        await next();
        c.env.incoming.socket.destroy();
        c.res = RESPONSE_ALREADY_SENT;
        return undefined;
    }
  };

  const routes = new Hono();
  routes.get('/', (c) => c.json({ faults }));
  routes.post('/', async (c) => {
    const parsed = z.array(fault).safeParse(await c.req.json().catch(() => undefined));
    if (!parsed.success) return c.json(failure('invalid_argument', z.prettifyError(parsed.error)), 400);
    faults.push(...parsed.data);
    return c.json({ faults }, 201);
  });
  routes.delete('/', (c) => {
    faults = [];
    return c.json({ faults });
  });
  return { middleware, routes };
}
