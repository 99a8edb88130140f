import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { type Context, Hono } from 'hono';
import { z } from 'zod';
import { failure } from './failure.ts';
import type { Owner } from './object-store.ts';

/**
 * What goes wrong on purpose. A fault waits for the next calls it matches, oldest fault first, and is used up after
 * `times` of them.
 *
 * error500          the network fails inside, without effect
 * error400          it refuses the call for good
 * error429          it is called too often, in its own words and with its own pause
 * conflict          somebody else changes the object at this moment
 * token_expired     the access token is not valid any more
 * hang              no answer and no effect
 * commit_then_drop  it takes effect and then cuts the connection: the caller cannot know
 * commit_then_500   it takes effect and then fails inside
 */
const faultKinds = [
  'error500',
  'error400',
  'error429',
  'conflict',
  'token_expired',
  'hang',
  'commit_then_drop',
  'commit_then_500',
] as const;
type FaultKind = (typeof faultKinds)[number];

const fault = z.strictObject({
  network: z.string().optional(),
  account: z.string().optional(),
  /** Reading is left alone unless asked for, so that `times` counts the calls that change something. */
  on: z.enum(['writes', 'reads', 'all']).default('writes'),
  kind: z.enum(faultKinds),
  times: z.int().min(1),
});
type Fault = z.infer<typeof fault>;

/** How a network says what its faults are. */
export interface Refusals {
  internal(): Response;
  rejected(): Response;
  limited(): Response;
  conflict(): Response;
  tokenExpired(): Response;
}

export type NetworkContext = Context<{ Bindings: HttpBindings }>;

export interface Faults {
  /** Answers a call, or lets the fault that is meant for it happen. */
  around(
    c: NetworkContext,
    call: Owner & { write: boolean },
    refusals: Refusals,
    answer: () => Response | Promise<Response>,
  ): Promise<Response>;
  /** `/_control/faults`. */
  readonly routes: Hono;
}

export function createFaults(): Faults {
  let faults: Fault[] = [];

  const take = (call: Owner & { write: boolean }): FaultKind | undefined => {
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

  const around: Faults['around'] = async (c, call, refusals, answer) => {
    const kind = take(call);
    switch (kind) {
      case undefined:
        return answer();
      case 'error500':
        return refusals.internal();
      case 'error400':
        return refusals.rejected();
      case 'error429':
        return refusals.limited();
      case 'conflict':
        return refusals.conflict();
      case 'token_expired':
        return refusals.tokenExpired();
      case 'hang':
        // Ends when the caller gives up, or with this server.
        await new Promise((resolve) => c.env.outgoing.once('close', resolve));
        return RESPONSE_ALREADY_SENT;
      case 'commit_then_drop':
        await answer();
        c.env.incoming.socket.destroy();
        return RESPONSE_ALREADY_SENT;
      case 'commit_then_500':
        await answer();
        return refusals.internal();
      default:
        return kind satisfies never;
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
  return { around, routes };
}
