import { type ServerType, serve } from '@hono/node-server';
import { Hono } from 'hono';
import type { Lifecycle } from '../core/runtime/lifecycle.ts';

/**
 * GET /healthz  200 while the process can answer: `{ status: 'live', state, … }`
 * GET /readyz   200 when it works, 503 while it starts, drains, or its intake is stopped
 * Both tell the age of each poller's last successful receive, the figure by which a poller that died silently shows.
 */
export interface HealthReport {
  intake: { open: boolean; reason: string | undefined };
  lanesActive: number;
  pollers: Record<string, { lastReceiveAgeMs: number | undefined; state: string }>;
}

export function createHealthApp(lifecycle: Lifecycle, report: () => HealthReport): Hono {
  const app = new Hono();
  app.get('/healthz', (c) => c.json({ status: 'live', state: lifecycle.state, ...report() }));
  app.get('/readyz', (c) => {
    const current = report();
    const ready = lifecycle.state === 'ready' && current.intake.open;
    return c.json({ status: ready ? 'ready' : 'not ready', state: lifecycle.state, ...current }, ready ? 200 : 503);
  });
  return app;
}

/** Listens and resolves with the address it got. */
export async function listen(
  app: Hono,
  hostname: string,
  port: number,
): Promise<{ url: string; close: () => Promise<void> }> {
  const server: ServerType = await new Promise((resolve, reject) => {
    const starting = serve({ fetch: app.fetch, hostname, port }, () => resolve(starting));
    starting.on('error', reject);
  });
  const address = server.address();
  const actual = typeof address === 'object' && address !== null ? address.port : port;
  return {
    url: `http://${hostname}:${actual}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}
