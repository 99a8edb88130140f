import { Hono } from 'hono';
import { z } from 'zod';
import type { FeedStore } from './feed-store.ts';

const price = z.looseObject({ amountMicros: z.string().regex(/^\d+$/), currencyCode: z.string().regex(/^[A-Z]{3}$/) });

const productInput = z.looseObject({
  offerId: z.string().min(1).max(50),
  contentLanguage: z.string().length(2),
  feedLabel: z.string().regex(/^[A-Z0-9_-]{1,20}$/),
  versionNumber: z.string().regex(/^\d+$/).optional(),
  productAttributes: z.looseObject({
    title: z.string().min(1).max(150),
    description: z.string().min(1).max(5_000),
    link: z.url(),
    imageLink: z.url(),
    availability: z.enum(['IN_STOCK', 'OUT_OF_STOCK', 'PREORDER', 'LIMITED_AVAILABILITY', 'BACKORDER']),
    price,
    salePrice: price.optional(),
  }),
});

const failure = (code: number, status: string, message: string, reason = '') => ({
  error: {
    code,
    status,
    message,
    details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', metadata: { REASON: reason } }],
  },
});

/**
 * Google's Merchant API as far as feeds use it, below `/merchant-api`: inserts replace what the same source put, an older
 * version is refused, products show later than their inputs, and some are disapproved only then (a title that says so).
 */
export function googleMerchantRoutes(store: FeedStore): Hono {
  const api = new Hono().basePath('/merchant-api/products/v1/accounts/:account');
  const place = (account: string) => ({ network: 'google_merchant' as const, account });

  api.use('*', async (c, next) => {
    if (!/^Bearer \S/.test(c.req.header('authorization') ?? ''))
      return c.json(failure(401, 'UNAUTHENTICATED', 'no token'), 401);
    const mood = store.mood(c.req.param('account'));
    if (mood.refuseNext > 0) {
      mood.refuseNext -= 1;
      return c.json(failure(429, 'RESOURCE_EXHAUSTED', 'too fast', 'quota/request_rate_too_high'), 429);
    }
    return next();
  });

  api.post('/:method{productInputs:insert}', async (c) => {
    const source = c.req.query('dataSource') ?? '';
    if (!source.startsWith(`accounts/${c.req.param('account')}/dataSources/`))
      return c.json(failure(400, 'INVALID_ARGUMENT', 'dataSource must be one of this account'), 400);
    const parsed = productInput.safeParse(await c.req.json().catch(() => undefined));
    if (!parsed.success) return c.json(failure(400, 'INVALID_ARGUMENT', z.prettifyError(parsed.error)), 400);
    const { offerId, contentLanguage, feedLabel, versionNumber } = parsed.data;
    const name = nameOf(`${contentLanguage}~${feedLabel}~`, offerId);
    const before = productInput.safeParse(store.get(place(c.req.param('account')), name)?.body).data?.versionNumber;
    if (versionNumber !== undefined && BigInt(before ?? 0) > BigInt(versionNumber))
      return c.json(failure(409, 'ABORTED', `a newer version of ${offerId} is there`), 409);
    store.put(place(c.req.param('account')), name, { ...parsed.data, dataSource: source });
    return c.json({ name: `accounts/${c.req.param('account')}/productInputs/${name}`, ...parsed.data });
  });

  api.delete('/productInputs/:name', (c) => {
    const { account, name } = c.req.param();
    const held = store.get(place(account), name)?.body;
    if (held === undefined || held['dataSource'] !== c.req.query('dataSource'))
      return c.json(failure(404, 'NOT_FOUND', 'this source has no such input'), 404);
    store.remove(place(account), name);
    return c.json({});
  });

  api.get('/products/:name', (c) => {
    const { account, name } = c.req.param();
    const held = store.get(place(account), name);
    if (held?.shown !== true) return c.json(failure(404, 'NOT_FOUND', 'no such product'), 404);
    const attributes = productInput.parse(held.body).productAttributes;
    const disapproved = attributes.title.includes('disapproved');
    return c.json({
      name: `accounts/${account}/products/${name}`,
      productAttributes: attributes,
      productStatus: {
        destinationStatuses: [
          { reportingContext: 'SHOPPING_ADS', [disapproved ? 'disapprovedCountries' : 'approvedCountries']: ['US'] },
        ],
        itemLevelIssues: disapproved
          ? [
              {
                code: 'policy_violation',
                severity: 'DISAPPROVED',
                attribute: 'title',
                description: 'The title breaks a policy',
                applicableCountries: ['US'],
              },
            ]
          : [],
      },
    });
  });
  return api;
}

const nameOf = (prefix: string, offerId: string): string =>
  /[/%~]/.test(offerId) ? Buffer.from(prefix + offerId).toString('base64url') : prefix + offerId;
