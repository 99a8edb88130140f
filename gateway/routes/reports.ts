import { type OpenAPIHono, createRoute, z } from '@hono/zod-openapi';
import { DAY_MS } from '../../core/runtime/clock.ts';
import type { GatewayDependencies, GatewayEnv } from '../context.ts';
import { makeChange } from '../make-change.ts';
import { InvalidRequest, problemResponses } from '../problem.ts';
import { json, readProblems, requiredBody, writeProblems } from '../route-parts.ts';
import { readAttributionWindows, saveAttributionWindows } from '../../core/contexts/analytics/attribution-windows.ts';
import { type ReportRow, readReport, reportGroups } from '../../core/contexts/analytics/read-report.ts';
import { asMerchant } from '../../core/database/transaction.ts';
import { isoDay } from '../../core/events/envelope.ts';

const MAX_DAYS = 400;
const MAX_ROWS = 5_000;

const micros = (description: string) =>
  z
    .string()
    .openapi({ description: `${description}, in millionths of the currency's major unit.`, example: '12340000' });
const ratio = (description: string) => z.string().nullable().openapi({ description, example: '3.5000' });

const row = z
  .object({
    day: z.string().nullable(),
    adNetworkId: z.string().nullable().openapi({ description: 'Empty for orders that no ad brought.' }),
    campaignId: z.string().nullable(),
    productId: z.string().nullable().openapi({
      description: "Empty for what belongs to no product: clicks, and spend that no product's orders claim.",
    }),
    title: z.string().nullable().openapi({ description: 'What the product was called on the days of the row.' }),
    brand: z.string().nullable(),
    currency: z.string(),
    impressions: z.string(),
    clicks: z.string(),
    conversions: z.number().openapi({ description: 'As the network counts them.' }),
    spendMicros: micros('Spend'),
    orders: z
      .string()
      .openapi({ description: "Orders that the merchant's windows attribute; cancelled ones left out." }),
    units: z.string().nullable().openapi({ description: 'Pieces sold; only by product.' }),
    revenueMicros: micros('Revenue of these orders, less refunds'),
    roas: ratio('Revenue by spend.'),
    ctr: ratio('Clicks by impressions.'),
    cpaMicros: z.string().nullable(),
    cpcMicros: z.string().nullable(),
    cpmMicros: z.string().nullable(),
    asOf: z.iso.datetime().openapi({ description: 'The newest reading or order in the row; later ones restate it.' }),
  })
  .openapi('ReportRow');

const reportRoute = createRoute({
  method: 'get',
  path: '/v1/reports/performance',
  operationId: 'readPerformanceReport',
  tags: ['Reports'],
  summary: 'Read spend, revenue and what follows from them',
  request: {
    query: z.object({
      from: isoDay.meta({ example: '2026-11-01' }),
      to: isoDay.meta({ description: 'Inclusive; at most 400 days.', example: '2026-11-30' }),
      groupBy: z
        .enum(reportGroups)
        .default('day')
        .openapi({ description: "By product, a campaign's spend of a day is shared in proportion to revenue." }),
    }),
  },
  responses: {
    200: {
      description: `Rows by group and currency, which are never mixed; at most ${MAX_ROWS}.`,
      content: {
        'application/json': {
          schema: z
            .object({
              rows: z.array(row),
              complete: z.boolean().openapi({ description: 'False when there are more rows: ask for fewer days.' }),
            })
            .openapi('PerformanceReport'),
        },
      },
    },
    ...problemResponses('request.invalid', 'access.unauthenticated', 'service.unavailable'),
  },
});

const windows = z
  .strictObject({
    clickDays: z.int().min(0).max(90).openapi({ description: 'For how long a click may claim an order.' }),
    viewDays: z.int().min(0).max(90).openapi({ description: 'For how long a view may, where no click does.' }),
  })
  .openapi('AttributionWindows', { example: { clickDays: 7, viewDays: 1 } });

const readWindowsRoute = createRoute({
  method: 'get',
  path: '/v1/reports/attribution-windows',
  operationId: 'readAttributionWindows',
  tags: ['Reports'],
  summary: 'Read which clicks and views may claim an order',
  responses: {
    200: { description: '7 days and 1 day until chosen otherwise.', content: json(windows) },
    ...problemResponses(...readProblems),
  },
});

const saveWindowsRoute = createRoute({
  method: 'put',
  path: '/v1/reports/attribution-windows',
  operationId: 'saveAttributionWindows',
  tags: ['Reports'],
  summary: 'Choose which clicks and views may claim an order',
  description:
    'Holds for orders that come or are restated from now on. 0 days: only what has the very time of the order.',
  request: { body: requiredBody(windows) },
  responses: {
    200: { description: 'What was chosen.', content: json(windows) },
    ...problemResponses(...writeProblems),
  },
});

export const reportRoutes = [reportRoute, readWindowsRoute, saveWindowsRoute];

export function addReportRoutes(app: OpenAPIHono<GatewayEnv>, dependencies: GatewayDependencies): void {
  const { db } = dependencies;

  app.openapi(readWindowsRoute, async (c) => {
    const merchantId = c.get('merchantId');
    const windowsOf = await asMerchant(db, merchantId, (trx) => readAttributionWindows(trx, [merchantId]));
    return c.json(windowsOf(merchantId), 200);
  });

  app.openapi(saveWindowsRoute, async (c) => {
    const chosen = c.req.valid('json');
    const saved = await makeChange(dependencies, c, async (trx, merchantId, nowMs) => {
      const before = (await readAttributionWindows(trx, [merchantId]))(merchantId);
      await saveAttributionWindows(trx, merchantId, chosen, nowMs);
      const change = { before: { ...before }, after: { ...chosen } };
      return { result: chosen, action: 'attribution_windows.chosen', subject: merchantId, ...change };
    });
    return c.json(saved, 200);
  });

  app.openapi(reportRoute, async (c) => {
    const { from, to, groupBy } = c.req.valid('query');
    const days = (Date.parse(to) - Date.parse(from)) / DAY_MS + 1;
    if (!(days >= 1 && days <= MAX_DAYS))
      throw new InvalidRequest('The days are not a range.', [
        { path: 'query.to', message: `must be ${from} or later, and at most ${MAX_DAYS} days after` },
      ]);
    const merchantId = c.get('merchantId');
    const rows = await asMerchant(db, merchantId, (trx) =>
      readReport(trx, merchantId, { from, to, groupBy, limit: MAX_ROWS + 1 }),
    );
    return c.json({ rows: rows.slice(0, MAX_ROWS).map(showRow), complete: rows.length <= MAX_ROWS }, 200);
  });
}

/** Sums as text: they may leave what a JSON number holds. */
const showRow = (sums: ReportRow): z.infer<typeof row> => ({
  ...sums,
  impressions: sums.impressions.toString(),
  clicks: sums.clicks.toString(),
  spendMicros: sums.spendMicros.toString(),
  orders: sums.orders.toString(),
  units: sums.units?.toString() ?? null,
  revenueMicros: sums.revenueMicros.toString(),
  cpaMicros: sums.cpaMicros?.toString() ?? null,
  cpcMicros: sums.cpcMicros?.toString() ?? null,
  cpmMicros: sums.cpmMicros?.toString() ?? null,
  asOf: sums.asOf.toISOString(),
});
