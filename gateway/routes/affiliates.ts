import { createHmac, randomBytes } from 'node:crypto';
import { type OpenAPIHono, createRoute, z } from '@hono/zod-openapi';
import type { GatewayDependencies, GatewayEnv } from '../context.ts';
import { makeChange } from '../make-change.ts';
import { problemResponses } from '../problem.ts';
import { json, readProblems, requiredBody, writeProblems } from '../route-parts.ts';
import { findLink, listStatements, readBalances } from '../../core/contexts/affiliates/reads.ts';
import { addClick, addLink, saveAffiliate, saveProgram } from '../../core/contexts/affiliates/writes.ts';
import { asMerchant } from '../../core/database/transaction.ts';
import { id } from '../../core/events/envelope.ts';
import { LanewayError } from '../../core/runtime/errors.ts';
import { newId } from '../../core/runtime/ids.ts';

const tags = ['Affiliates'];
const affiliateId = z.object({ affiliateId: id(64) });

const affiliate = z
  .strictObject({
    name: id(200),
    commissionPpm: z.int().min(0).max(1_000_000).describe('Parts per million of an order: 50000 is 5 %.'),
    customerRef: id(128).nullable().default(null).describe('Orders of this customer earn nothing.'),
    state: z.enum(['active', 'paused']).default('active'),
  })
  .openapi('Affiliate', { example: { name: 'The shoe blog', commissionPpm: 50_000 } });
const program = z
  .strictObject({ windowDays: z.int().min(1).max(365), rule: z.enum(['last_click', 'first_click']) })
  .openapi('AffiliateProgram', { example: { windowDays: 30, rule: 'last_click' } });
const balance = z
  .object({
    affiliateId: z.string(),
    currency: z.string(),
    commissionMinor: z.int(),
    clawbackMinor: z.int(),
    paidOutMinor: z.int(),
    balanceMinor: z.int().openapi({ description: 'Owed to the affiliate; negative when it owes.' }),
  })
  .openapi('AffiliateBalance');
const statement = z
  .object({
    affiliateId: z.string(),
    period: z.string(),
    currency: z.string(),
    commissionMinor: z.int(),
    clawbackMinor: z.int(),
    carriedMinor: z.int(),
    payoutMinor: z.int(),
    issuedAt: z.iso.datetime(),
  })
  .openapi('AffiliateStatement');
const link = z.object({ code: z.string(), path: z.string(), targetUrl: z.string() }).openapi('AffiliateLink');

const saveRoute = createRoute({
  method: 'put',
  path: '/v1/affiliates/{affiliateId}',
  operationId: 'saveAffiliate',
  tags,
  summary: 'Add or change an affiliate',
  request: { params: affiliateId, body: requiredBody(affiliate) },
  responses: { 204: { description: 'Saved.' }, ...problemResponses(...writeProblems) },
});
const programRoute = createRoute({
  method: 'put',
  path: '/v1/affiliates',
  operationId: 'saveAffiliateProgram',
  tags,
  summary: 'Set how orders are attributed',
  request: { body: requiredBody(program) },
  responses: { 204: { description: 'Saved; for orders from now on.' }, ...problemResponses(...writeProblems) },
});
const linkRoute = createRoute({
  method: 'post',
  path: '/v1/affiliates/{affiliateId}/links',
  operationId: 'createAffiliateLink',
  tags,
  summary: 'Create a link for an affiliate',
  request: {
    params: affiliateId,
    body: requiredBody(
      z
        .strictObject({ targetUrl: z.url({ protocol: /^https$/ }).max(2_000) })
        .openapi('NewAffiliateLink', { example: { targetUrl: 'https://shop.example/shoes' } }),
    ),
  },
  responses: {
    201: { description: 'The link.', content: json(link) },
    ...problemResponses(...writeProblems, 'resource.not_found'),
  },
});
const balancesRoute = createRoute({
  method: 'get',
  path: '/v1/affiliates/balances',
  operationId: 'listAffiliateBalances',
  tags,
  summary: 'List what affiliates earned and are owed',
  responses: {
    200: { description: 'By affiliate and currency.', content: json(z.object({ balances: z.array(balance) })) },
    ...problemResponses(...readProblems),
  },
});
const statementsRoute = createRoute({
  method: 'get',
  path: '/v1/affiliates/{affiliateId}/statements',
  operationId: 'listAffiliateStatements',
  tags,
  summary: 'List payout statements',
  request: { params: affiliateId },
  responses: {
    200: { description: 'Newest first, the last 120.', content: json(z.object({ statements: z.array(statement) })) },
    ...problemResponses(...readProblems),
  },
});
const followRoute = createRoute({
  method: 'get',
  path: '/r/{code}',
  operationId: 'followAffiliateLink',
  tags,
  summary: "Follow an affiliate's link",
  description:
    'Open to everybody. The address it leads to carries `lw_click`, which the order should name in `clickIds`.',
  security: [],
  request: { params: z.object({ code: z.string().regex(/^[A-Za-z0-9_-]{1,40}$/) }) },
  responses: {
    302: { description: 'To the shop.', headers: z.object({ location: z.string() }) },
    ...problemResponses('request.invalid', 'resource.not_found', 'service.unavailable'),
  },
});

export const affiliateRoutes = [saveRoute, programRoute, linkRoute, balancesRoute, statementsRoute, followRoute];

export function addAffiliateRoutes(app: OpenAPIHono<GatewayEnv>, dependencies: GatewayDependencies): void {
  const { db, clock, keyring, corePlatformSecret } = dependencies;

  app.openapi(balancesRoute, async (c) => {
    const merchantId = c.get('merchantId');
    return c.json({ balances: await asMerchant(db, merchantId, (trx) => readBalances(trx, merchantId)) }, 200);
  });

  app.openapi(statementsRoute, async (c) => {
    const merchantId = c.get('merchantId');
    const found = await asMerchant(db, merchantId, (trx) =>
      listStatements(trx, merchantId, c.req.valid('param').affiliateId),
    );
    return c.json({ statements: found.map((each) => ({ ...each, issuedAt: each.issuedAt.toISOString() })) }, 200);
  });

  app.openapi(programRoute, async (c) => {
    const wanted = c.req.valid('json');
    await makeChange(dependencies, c, async (trx, merchantId, nowMs) => {
      await saveProgram(trx, merchantId, wanted, nowMs);
      return { result: undefined, action: 'affiliate_program.saved', subject: merchantId, after: wanted };
    });
    return c.body(null, 204);
  });

  app.openapi(saveRoute, async (c) => {
    const subject = c.req.valid('param').affiliateId;
    const wanted = c.req.valid('json');
    await makeChange(dependencies, c, async (trx, merchantId, nowMs) => {
      await saveAffiliate(trx, keyring, merchantId, { affiliateId: subject, ...wanted }, nowMs);
      const after = { commissionPpm: wanted.commissionPpm, state: wanted.state };
      return { result: undefined, action: 'affiliate.saved', subject, after };
    });
    return c.body(null, 204);
  });

  app.openapi(linkRoute, async (c) => {
    const { affiliateId: subject } = c.req.valid('param');
    const { targetUrl } = c.req.valid('json');
    const made = await makeChange(dependencies, c, async (trx, merchantId, nowMs) => {
      const code = randomBytes(9).toString('base64url');
      if (!(await addLink(trx, merchantId, { code, affiliateId: subject, targetUrl }, nowMs)))
        throw new LanewayError('resource.not_found', `There is no affiliate ${subject}.`);
      const result = { code, path: `/r/${code}`, targetUrl };
      return { result, action: 'affiliate_link.created', subject, after: result };
    });
    return c.json(made, 201);
  });

  app.openapi(followRoute, async (c) => {
    const { code } = c.req.valid('param');
    const found = await findLink(db, code);
    if (found === undefined) throw new LanewayError('resource.not_found', 'This link leads nowhere.');
    const visitor = [c.req.header('x-forwarded-for') ?? '', c.req.header('user-agent') ?? ''];
    const click = {
      clickId: newId(),
      code,
      affiliateId: found.affiliateId,
      visitorHash: createHmac('sha256', corePlatformSecret).update(JSON.stringify(visitor)).digest('hex').slice(0, 32),
    };
    await asMerchant(db, found.merchantId, (trx) => addClick(trx, found.merchantId, click, clock.now()));
    const target = new URL(found.targetUrl);
    target.searchParams.set('lw_click', click.clickId);
    c.header('cache-control', 'no-store');
    return c.redirect(target.href, 302);
  });
}
