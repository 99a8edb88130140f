import { OpenAPIHono } from '@hono/zod-openapi';
import { adNetworkRoutes } from './routes/ad-networks.ts';
import { audienceRoutes } from './routes/audiences.ts';
import { campaignChangeRoutes } from './routes/campaign-changes.ts';
import { campaignRuleRoutes } from './routes/campaign-rules.ts';
import { accessRoutes } from './routes/access.ts';
import { affiliateRoutes } from './routes/affiliates.ts';
import { auditRoutes } from './routes/audit.ts';
import { campaignRoutes } from './routes/campaigns.ts';
import { receiveProductChanges } from './routes/core-platform.ts';
import { feedRoutes } from './routes/feeds.ts';
import { reportRoutes } from './routes/reports.ts';
import { readHealth, readReadiness } from './routes/health.ts';
import { billingRoutes } from './routes/billing.ts';
import { notificationRoutes } from './routes/notifications.ts';
import { platformRoutes } from './routes/platform.ts';
import { adObjectRoutes } from './routes/ad-objects.ts';
import { offerRoutes } from './routes/offers.ts';
import { productImportRoutes } from './routes/product-imports.ts';
import { productRoutes } from './routes/products.ts';
import { webhookRoutes } from './routes/webhooks.ts';

const description = `Events of an e-commerce Ad Manager, an ordered lane for every merchant.

Every answer carries \`x-request-id\`, \`x-correlation-id\` (yours, if you send a well-formed one) and \`traceparent\`.
What is refused is answered with a problem document (RFC 9457) whose \`code\` is stable.

Changes are carried out in the background: they answer 202 with an operation to follow. Send an \`Idempotency-Key\` with
each \`POST\`; asking again with the same key and body within 24 hours gives the first answer again, marked
\`Idempotency-Replayed: true\`, and changes nothing.`;

/** The description of the API as the routes declare it. Connects to nothing and names no server. */
export function openApiDocument() {
  const app = new OpenAPIHono();
  for (const route of [
    ...campaignRoutes,
    ...campaignChangeRoutes,
    ...campaignRuleRoutes,
    ...audienceRoutes,
    ...adNetworkRoutes,
    ...productRoutes,
    ...productImportRoutes,
    ...accessRoutes,
    ...auditRoutes,
    ...feedRoutes,
    ...notificationRoutes,
    ...webhookRoutes,
    ...billingRoutes,
    ...affiliateRoutes,
    ...offerRoutes,
    ...adObjectRoutes,
    ...reportRoutes,
    ...platformRoutes,
    receiveProductChanges,
    readHealth,
    readReadiness,
  ])
    app.openAPIRegistry.registerPath(route);
  app.openAPIRegistry.registerComponent('securitySchemes', 'apiKey', {
    type: 'http',
    scheme: 'bearer',
    description: "A merchant's API key, `lw_…`. It may be sent as `x-api-key` too.",
  });
  app.openAPIRegistry.registerComponent('securitySchemes', 'corePlatform', {
    type: 'apiKey',
    in: 'header',
    name: 'x-laneway-signature',
    description:
      '`v1=` and the HMAC-SHA256, in hex, of `<x-laneway-timestamp>.<body as sent>` under the shared secret; several ' +
      'separated by commas while the secret is being replaced.',
  });
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'Laneway', version: '1.0.0', description, license: { name: 'MIT' } },
    tags: [
      { name: 'Campaigns', description: 'Campaigns and their state on the ad networks' },
      { name: 'Ad networks', description: 'Accounts at the networks, and what is there besides' },
      { name: 'Audiences', description: 'Segments of people, hashed, and how far the ad networks follow them' },
      { name: 'Products', description: "The merchant's product catalog" },
      { name: 'Product imports', description: 'Products in bulk, uploaded or pulled' },
      { name: 'Notifications', description: 'What is sent to whom, and what became of it' },
      { name: 'Webhooks', description: 'Endpoints of third-party apps and their delivery log' },
      { name: 'Billing', description: 'Plans and invoices' },
      { name: 'Offers', description: 'Discounts, when they hold and how they stack' },
      { name: 'Affiliates', description: 'Affiliates, their links and what they earn' },
      { name: 'Access', description: 'Users, API keys and the record of changes' },
      { name: 'Product feeds', description: "The catalog on its way to the networks' catalogs" },
      { name: 'Reports', description: 'What ads cost and what they brought' },
      { name: 'Core platform', description: 'Deliveries of the e-commerce platform' },
      { name: 'Operation', description: 'For load balancers' },
    ],
    security: [{ apiKey: [] }],
  });
}
