import { join } from 'node:path';
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { z } from 'zod';
import { openJournal } from './journal.ts';

const takenWebhook = z.object({ app: z.string(), id: z.string(), at: z.iso.datetime() });

/** Third-party apps that take whatever they are told, at `/apps/<name>`. What was taken stands in an append-only journal. */
export function thirdPartyAppRoutes(dir: string) {
  const journal = openJournal(join(dir, 'webhooks.jsonl'), takenWebhook);
  const routes = new Hono<{ Bindings: HttpBindings }>();
  routes.post('/apps/:app', async (c) => {
    await c.req.arrayBuffer();
    journal.append({
      app: c.req.param('app'),
      id: c.req.header('webhook-id') ?? '',
      at: new Date().toISOString(),
    });
    return c.body(null, 204);
  });
  routes.get('/apps', (c) => c.json({ taken: journal.entries }));
  return routes;
}
