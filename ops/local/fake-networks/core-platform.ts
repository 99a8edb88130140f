import { join } from 'node:path';
import { Hono } from 'hono';
import { z } from 'zod';
import { openJournal } from './journal.ts';

/** The core platform gives no more of a page, whatever is asked for. */
const PAGE = 200;

const entry = z.object({ merchantId: z.string(), change: z.unknown() });
const control = z.strictObject({
  merchantId: z.string(),
  /** Happen after all that happened before. */
  changes: z.array(z.unknown()).default([]),
  /** The next requests for the merchant are answered with this status. */
  fail: z.strictObject({ status: z.int().min(400).max(599), times: z.int().min(1) }).optional(),
});

interface Seen {
  merchantId: string;
  cursor: string | null;
  correlationId: string | null;
}

/** The e-commerce platform's list of product changes: a cursor that stays good, pages shorter than asked for, and bad days. */
export function corePlatformRoutes(dir: string): Hono {
  const journal = openJournal(join(dir, 'product-changes.jsonl'), entry);
  const failures = new Map<string, { status: number; times: number }>();
  const seen: Seen[] = [];
  const app = new Hono();

  app.post('/_core-platform/changes', async (c) => {
    const parsed = control.safeParse(await c.req.json().catch(() => undefined));
    if (!parsed.success) return c.json({ error: z.prettifyError(parsed.error) }, 400);
    const { merchantId, changes, fail } = parsed.data;
    for (const change of changes) journal.append({ merchantId, change });
    if (fail !== undefined) failures.set(merchantId, { ...fail });
    return c.json({ added: changes.length });
  });
  app.get('/_core-platform/requests', (c) =>
    c.json({ requests: seen.filter(({ merchantId }) => merchantId === c.req.query('merchantId')) }),
  );

  app.get('/core-platform/merchants/:merchantId/product-changes', (c) => {
    if (!/^Bearer \S/.test(c.req.header('authorization') ?? '')) return c.json({ error: 'a token is needed' }, 401);
    const merchantId = c.req.param('merchantId');
    const cursor = c.req.query('cursor') ?? null;
    seen.push({ merchantId, cursor, correlationId: c.req.header('x-correlation-id') ?? null });
    if (seen.length > 10_000) seen.shift();
    const failing = failures.get(merchantId);
    if (failing !== undefined && failing.times > 0) {
      failing.times -= 1;
      const headers: Record<string, string> = failing.status === 429 ? { 'retry-after': '1' } : {};
      return Response.json({ error: 'injected' }, { status: failing.status, headers });
    }
    const after = cursor === null ? 0 : Number(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (!Number.isSafeInteger(after) || after < 0) return c.json({ error: 'no such cursor' }, 400);
    const own = journal.entries.filter((each) => each.merchantId === merchantId);
    const size = Math.min(PAGE, Number(c.req.query('limit') ?? PAGE) || PAGE);
    const page = own.slice(after, after + size);
    const end = after + page.length;
    return c.json({
      changes: page.map(({ change }) => change),
      nextCursor: end === 0 ? null : Buffer.from(String(end), 'utf8').toString('base64url'),
      hasMore: end < own.length,
    });
  });
  return app;
}
