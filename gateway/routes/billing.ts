import { type OpenAPIHono, createRoute, z } from '@hono/zod-openapi';
import type { GatewayDependencies, GatewayEnv } from '../context.ts';
import { makeChange } from '../make-change.ts';
import { nextPage, pageQuery } from '../paging.ts';
import { problemResponses } from '../problem.ts';
import { json, readProblems, requiredBody, writeProblems } from '../route-parts.ts';
import { type Invoice, listInvoices, readInvoice } from '../../core/contexts/billing/reads.ts';
import { choosePlan, savePaymentMethod } from '../../core/contexts/billing/writes.ts';
import { asMerchant } from '../../core/database/transaction.ts';
import { id, isoDay } from '../../core/events/envelope.ts';
import { dayOf } from '../../core/runtime/clock.ts';
import { LanewayError } from '../../core/runtime/errors.ts';

const tags = ['Billing'];
const invoice = z
  .object({
    invoiceNumber: z.string(),
    billingPeriod: z.string().openapi({ example: '2026-10' }),
    currency: z.string(),
    status: z
      .enum(['draft', 'open', 'paid', 'uncollectible'])
      .openapi({ description: 'A draft still follows the figures; afterwards nothing changes but how it is paid.' }),
    lines: z.array(
      z.object({
        kind: z.enum(['base', 'usage', 'ad_spend']),
        description: z.string(),
        amountMinor: z.int(),
        quantity: z.number(),
      }),
    ),
    totalMinor: z.int().openapi({ description: 'Minor units of `currency`; the sum of the lines.' }),
    issuedAt: z.iso.datetime(),
    finalizedAt: z.iso.datetime().nullable(),
    paidAt: z.iso.datetime().nullable(),
    paymentAttempts: z.int(),
  })
  .openapi('Invoice');

const listRoute = createRoute({
  method: 'get',
  path: '/v1/billing/invoices',
  operationId: 'listInvoices',
  tags,
  summary: 'List invoices',
  request: { query: pageQuery },
  responses: {
    200: { description: 'By number.', content: json(z.object({ invoices: z.array(invoice), next: nextPage })) },
    ...problemResponses(...readProblems),
  },
});
const readRoute = createRoute({
  method: 'get',
  path: '/v1/billing/invoices/{invoiceNumber}',
  operationId: 'readInvoice',
  tags,
  summary: 'Read an invoice',
  request: { params: z.object({ invoiceNumber: id(64) }) },
  responses: {
    200: { description: 'The invoice.', content: json(invoice) },
    ...problemResponses(...readProblems, 'resource.not_found'),
  },
});
const planRoute = createRoute({
  method: 'put',
  path: '/v1/billing/plan',
  operationId: 'choosePlan',
  tags,
  summary: 'Choose a plan',
  description: 'From today, or from a day to come. Days are paid for by the plan they were on.',
  request: {
    body: requiredBody(
      z
        .strictObject({ planId: z.enum(['starter', 'growth', 'scale']).nullable(), fromDay: isoDay.optional() })
        .openapi('PlanChoice', { example: { planId: 'growth' } }),
    ),
  },
  responses: {
    200: {
      description: 'What was chosen.',
      content: json(z.object({ planId: z.string().nullable(), fromDay: z.iso.date() })),
    },
    ...problemResponses(...writeProblems),
  },
});
const paymentRoute = createRoute({
  method: 'put',
  path: '/v1/billing/payment-method',
  operationId: 'savePaymentMethod',
  tags,
  summary: 'Say how invoices are paid',
  request: {
    body: requiredBody(
      z
        .strictObject({ paymentMethod: id(200).describe("The payment provider's reference, never a card number.") })
        .openapi('PaymentMethod', { example: { paymentMethod: 'pm_1QZ4' } }),
    ),
  },
  responses: { 204: { description: 'Saved.' }, ...problemResponses(...writeProblems) },
});

export const billingRoutes = [listRoute, readRoute, planRoute, paymentRoute];

const show = ({ issuedAt, finalizedAt, paidAt, ...rest }: Invoice): z.infer<typeof invoice> => ({
  ...rest,
  issuedAt: issuedAt.toISOString(),
  finalizedAt: finalizedAt?.toISOString() ?? null,
  paidAt: paidAt?.toISOString() ?? null,
});

export function addBillingRoutes(app: OpenAPIHono<GatewayEnv>, dependencies: GatewayDependencies): void {
  const { db } = dependencies;

  app.openapi(listRoute, async (c) => {
    const { limit, after } = c.req.valid('query');
    const merchantId = c.get('merchantId');
    const { items, next } = await asMerchant(db, merchantId, (trx) =>
      listInvoices(trx, merchantId, { limit, ...(after === undefined ? {} : { after }) }),
    );
    return c.json({ invoices: items.map(show), next: next ?? null }, 200);
  });

  app.openapi(readRoute, async (c) => {
    const merchantId = c.get('merchantId');
    const { invoiceNumber } = c.req.valid('param');
    const found = await asMerchant(db, merchantId, (trx) => readInvoice(trx, merchantId, invoiceNumber));
    if (found === undefined) throw new LanewayError('resource.not_found', `There is no invoice ${invoiceNumber}.`);
    return c.json(show(found), 200);
  });

  app.openapi(planRoute, async (c) => {
    const { planId, fromDay } = c.req.valid('json');
    const chosen = await makeChange(dependencies, c, async (trx, merchantId, nowMs) => {
      const today = dayOf(nowMs);
      // What is over was used, and is paid for as it was.
      if (fromDay !== undefined && fromDay < today)
        throw new LanewayError('request.invalid', `fromDay must not be before today, ${today}.`);
      const result = { planId, fromDay: fromDay ?? today };
      await choosePlan(trx, merchantId, result, nowMs);
      return { result, action: 'plan.chosen', subject: merchantId, after: result };
    });
    return c.json(chosen, 200);
  });

  app.openapi(paymentRoute, async (c) => {
    const { paymentMethod } = c.req.valid('json');
    await makeChange(dependencies, c, async (trx, merchantId, nowMs) => {
      await savePaymentMethod(trx, merchantId, paymentMethod, nowMs);
      return { result: undefined, action: 'payment_method.saved', subject: merchantId };
    });
    return c.body(null, 204);
  });
}
