import type { HttpBindings } from '@hono/node-server';
import type { Kysely } from 'kysely';
import type { Principal } from '../core/contexts/access/reads.ts';
import type { Database } from '../core/database/tables.ts';
import type { Registry } from '../core/events/registry.ts';
import type { Keyring } from '../core/people/keyring.ts';
import type { Clock } from '../core/runtime/clock.ts';
import type { LifecycleState } from '../core/runtime/lifecycle.ts';
import type { Log } from '../core/runtime/log.ts';

export interface GatewayDependencies {
  /** Connected as `laneway_gateway`: row-level security is what keeps merchants apart if a query forgets to. */
  db: Kysely<Database>;
  registry: Registry;
  clock: Clock;
  log: Log;
  /** Reads and writes what is about people. */
  keyring: Keyring;
  /** Shared with the core platform, whose deliveries it signs. */
  corePlatformSecret: string;
  requestDeadlineMs: number;
  /** Webhook endpoints may lie on this machine: for local runs only. */
  webhookLoopback: boolean;
  state: () => LifecycleState;
}

/** What the middleware knows about a request by the time its route runs. */
export interface GatewayEnv {
  /** Of a request that came through a port. */
  Bindings: Partial<HttpBindings>;
  Variables: {
    requestId: string;
    /** The caller's, or ours: goes into every event that the request causes. */
    correlationId: string;
    traceparent: string;
    /** Fires when the answer is no longer waited for; nothing may commit after that. */
    deadline: AbortSignal;
    /** Only behind `authenticate`. */
    merchantId: string;
    principal: Principal;
  };
}
