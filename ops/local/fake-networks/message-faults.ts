import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { type Context, Hono } from 'hono';
import { z } from 'zod';

/**
 * What goes wrong on purpose with mail, SMS and payments. A fault waits for the next calls of its service, for whom it names
 * if it names anybody, and is used up after `times` of them.
 *
 * throttled         called too often
 * rejected          refused for good
 * internal          fails inside, without effect
 * hang              no answer and no effect
 * commit_then_drop  takes effect and then cuts the connection: the caller cannot know
 */
const faultKinds = ['throttled', 'rejected', 'internal', 'hang', 'commit_then_drop'] as const;

const fault = z.strictObject({
  service: z.enum(['email', 'sms', 'payments']),
  /** Part of the address, number or customer. */
  to: z.string().optional(),
  kind: z.enum(faultKinds),
  times: z.int().min(1),
});
type Fault = z.infer<typeof fault>;

export type ServiceContext = Context<{ Bindings: HttpBindings }>;

export interface MessageFaults {
  /** Answers a call, or lets the fault that is meant for it happen. */
  around(
    c: ServiceContext,
    call: { service: Fault['service']; to: string },
    refuse: (kind: 'throttled' | 'rejected' | 'internal') => Response,
    answer: () => Response,
  ): Promise<Response>;
  /** `/_control/message-faults` */
  readonly routes: Hono;
}

export function createMessageFaults(): MessageFaults {
  let faults: Fault[] = [];

  const take = (call: { service: Fault['service']; to: string }): Fault['kind'] | undefined => {
    const found = faults.find(({ service, to = '' }) => service === call.service && call.to.includes(to));
    if (found === undefined) return undefined;
    found.times -= 1;
    faults = faults.filter(({ times }) => times > 0);
    return found.kind;
  };

  const around: MessageFaults['around'] = async (c, call, refuse, answer) => {
    const kind = take(call);
    switch (kind) {
      case undefined:
        return answer();
      case 'throttled':
      case 'rejected':
      case 'internal':
        return refuse(kind);
      case 'hang':
        // Ends when the caller gives up, or with this server.
        await new Promise((resolve) => c.env.outgoing.once('close', resolve));
        return RESPONSE_ALREADY_SENT;
      case 'commit_then_drop':
        answer();
        c.env.incoming.socket.destroy();
        return RESPONSE_ALREADY_SENT;
      default:
        return kind satisfies never;
    }
  };

  const routes = new Hono();
  routes.get('/', (c) => c.json({ faults }));
  routes.post('/', async (c) => {
    const parsed = z.array(fault).safeParse(await c.req.json().catch(() => undefined));
    if (!parsed.success) return c.json({ message: z.prettifyError(parsed.error) }, 400);
    faults.push(...parsed.data);
    return c.json({ faults }, 201);
  });
  routes.delete('/', (c) => {
    faults = [];
    return c.json({ faults });
  });
  return { around, routes };
}
