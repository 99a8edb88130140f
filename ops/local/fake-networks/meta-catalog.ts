import { createHash } from 'node:crypto';
import { Hono } from 'hono';
import { z } from 'zod';
import type { FeedStore } from './feed-store.ts';

const batch = z.object({
  item_type: z.literal('PRODUCT_ITEM'),
  allow_upsert: z.boolean().default(true),
  requests: z
    .array(
      z.object({
        method: z.enum(['CREATE', 'UPDATE', 'DELETE']),
        data: z.looseObject({ id: z.string().min(1).max(100) }),
      }),
    )
    .min(1)
    .max(5_000),
});

const required = ['title', 'description', 'availability', 'condition', 'price', 'link', 'image_link', 'brand'] as const;
const priceText = /^\d+(\.\d+)? [A-Z]{3}$/;

const failure = (code: number, message: string) => ({
  error: { message, type: 'OAuthException', code, fbtrace_id: 'fake' },
});

/**
 * Meta's catalog batch API as far as feeds use it, below `/meta-catalog`: rows that fail are named in an answer of 200,
 * the catalog shows items later, and a finished batch may have dropped a row without a word (a title that says so).
 */
export function metaCatalogRoutes(store: FeedStore): Hono {
  const api = new Hono().basePath('/meta-catalog/:catalog{\\d+}');
  const place = (account: string) => ({ network: 'meta_catalog' as const, account });

  api.use('*', async (c, next) => {
    if (!/^Bearer \S/.test(c.req.header('authorization') ?? '')) return c.json(failure(190, 'no token'), 400);
    const mood = store.mood(c.req.param('catalog'));
    if (mood.refuseNext > 0) {
      mood.refuseNext -= 1;
      return c.json(failure(80_014, 'too many calls for the batch uploads to this catalog'), 400);
    }
    return next();
  });

  api.post('/items_batch', async (c) => {
    const parsed = batch.safeParse(await c.req.json().catch(() => undefined));
    if (!parsed.success) return c.json(failure(100, z.prettifyError(parsed.error)), 400);
    const account = place(c.req.param('catalog'));
    const told = parsed.data.requests.flatMap(({ method, data }) => {
      if (method === 'DELETE') {
        store.remove(account, data.id);
        return [];
      }
      const faults = faultsOf(data);
      if (faults.length > 0) return [{ retailer_id: data.id, errors: faults, warnings: [] }];
      if (!String(data['title']).includes('dropped')) store.put(account, data.id, data);
      return [];
    });
    const handle = createHash('sha256').update(JSON.stringify(parsed.data)).digest('base64url').slice(0, 20);
    return c.json({ handles: [handle], validation_status: told });
  });

  api.get('/check_batch_request_status', (c) =>
    c.json({ data: [{ handle: c.req.query('handle'), status: 'finished', errors_total_count: 0 }] }),
  );

  api.get('/products', (c) => {
    const filter = z
      .object({ retailer_id: z.object({ is_any: z.array(z.string()).max(100) }) })
      .safeParse(JSON.parse(c.req.query('filter') ?? '{}'));
    if (!filter.success) return c.json(failure(100, 'filter must name retailer ids'), 400);
    const account = place(c.req.param('catalog'));
    const data = filter.data.retailer_id.is_any.flatMap((id) => {
      const held = store.get(account, id);
      if (held?.shown !== true) return [];
      const rejected = String(held.body['title']).includes('disapproved');
      return [
        {
          id: `9${id}`,
          retailer_id: id,
          price: held.body['price'],
          ...(held.body['sale_price'] === undefined ? {} : { sale_price: held.body['sale_price'] }),
          availability: held.body['availability'],
          review_status: rejected ? 'rejected' : 'approved',
          errors: rejected ? [{ title: 'Policy', description: 'The title breaks a policy' }] : [],
        },
      ];
    });
    return c.json({ data });
  });
  return api;
}

function faultsOf(data: Record<string, unknown>): { message: string }[] {
  const missing = required.filter((field) => typeof data[field] !== 'string' || data[field] === '');
  const faults = missing.map((field) => ({ message: `${field} is missing` }));
  return missing.includes('price') || priceText.test(String(data['price']))
    ? faults
    : [...faults, { message: 'price has a wrong format' }];
}
