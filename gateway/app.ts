import { OpenAPIHono } from '@hono/zod-openapi';
import { bodyLimit } from 'hono/body-limit';
import { methodNotAllowed } from 'hono/method-not-allowed';
import type { GatewayDependencies, GatewayEnv } from './context.ts';
import { logAccess } from './middleware/access-log.ts';
import { authenticate } from './middleware/authenticate.ts';
import { authorize } from './middleware/authorize.ts';
import { answerErrors, answerMethodNotAllowed, answerNotFound, refuseInvalid } from './middleware/errors.ts';
import { finishBody } from './middleware/finish-body.ts';
import { identify } from './middleware/identify.ts';
import { limitTime } from './middleware/limit-time.ts';
import { refuseUnstorable } from './middleware/refuse-unstorable.ts';
import { addAdNetworkRoutes } from './routes/ad-networks.ts';
import { addAudienceRoutes } from './routes/audiences.ts';
import { addCampaignChangeRoutes } from './routes/campaign-changes.ts';
import { addCampaignRuleRoutes } from './routes/campaign-rules.ts';
import { addAccessRoutes } from './routes/access.ts';
import { addAuditRoutes } from './routes/audit.ts';
import { addAffiliateRoutes } from './routes/affiliates.ts';
import { addBillingRoutes } from './routes/billing.ts';
import { addCampaignRoutes } from './routes/campaigns.ts';
import { addCorePlatformRoutes } from './routes/core-platform.ts';
import { addDocsRoutes } from './routes/docs.ts';
import { addAdObjectRoutes } from './routes/ad-objects.ts';
import { addFeedRoutes } from './routes/feeds.ts';
import { addReportRoutes } from './routes/reports.ts';
import { addHealthRoutes } from './routes/health.ts';
import { addNotificationRoutes } from './routes/notifications.ts';
import { addPlatformRoutes } from './routes/platform.ts';
import { addOfferRoutes } from './routes/offers.ts';
import { addProductImportRoutes, isUpload } from './routes/product-imports.ts';
import { addProductRoutes } from './routes/products.ts';
import { addWebhookRoutes } from './routes/webhooks.ts';
import { LanewayError } from '../core/runtime/errors.ts';

const MAX_BODY_BYTES = 1_048_576;

const refuseLarge = (): never => {
  throw new LanewayError('request.too_large', 'The body is larger than 1 MB.');
};

/** The gateway as a function from request to response. Starts nothing: `main.ts` gives it a port and a database. */
export function createApp(dependencies: GatewayDependencies): OpenAPIHono<GatewayEnv> {
  const { log, clock, state } = dependencies;
  const app = new OpenAPIHono<GatewayEnv>({ defaultHook: refuseInvalid });
  app.onError(answerErrors(log));
  app.notFound(answerNotFound);

  app.use(finishBody);
  app.use(identify);
  app.use(logAccess(log, clock));
  app.use(async (c, next) => {
    await next();
    // Otherwise a kept connection would bring the next request to a server that no longer listens.
    if (state() === 'draining') c.header('connection', 'close');
  });
  app.use(methodNotAllowed({ app, onMethodNotAllowed: answerMethodNotAllowed }));
  app.use(limitTime(dependencies.requestDeadlineMs));
  const limited = bodyLimit({ maxSize: MAX_BODY_BYTES, onError: refuseLarge });
  app.use(async (c, next) => (isUpload(c.req.path) ? await next() : await limited(c, next)));
  app.use('/v1/*', authenticate(dependencies), authorize, refuseUnstorable);

  addHealthRoutes(app, dependencies);
  addDocsRoutes(app);
  addProductRoutes(app, dependencies);
  addProductImportRoutes(app, dependencies);
  addFeedRoutes(app, dependencies);
  addReportRoutes(app, dependencies);
  addCampaignRoutes(app, dependencies);
  addCampaignChangeRoutes(app, dependencies);
  addCampaignRuleRoutes(app, dependencies);
  addAudienceRoutes(app, dependencies);
  addAdNetworkRoutes(app, dependencies);
  addCorePlatformRoutes(app, dependencies);
  addAccessRoutes(app, dependencies);
  addAuditRoutes(app, dependencies);
  addNotificationRoutes(app, dependencies);
  addWebhookRoutes(app, dependencies);
  addBillingRoutes(app, dependencies);
  addAffiliateRoutes(app, dependencies);
  addPlatformRoutes(app, dependencies);
  addOfferRoutes(app, dependencies);
  addAdObjectRoutes(app, dependencies);
  return app;
}
