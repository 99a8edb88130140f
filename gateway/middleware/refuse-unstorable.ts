import type { MiddlewareHandler } from 'hono';
import type { GatewayEnv } from '../context.ts';
import { type Fault, InvalidRequest } from '../problem.ts';
import { isUpload } from '../routes/product-imports.ts';
import { findUnstorable, mayBeUnstorable } from '../../core/events/unstorable.ts';

const JSON_TYPE = /^application\/([\w.-]+\+)?json\s*(;|$)/i;
/** Faults told of one body. */
const MAX_FAULTS = 20;

/**
 * Refuses a JSON body with something in it that no store keeps, wherever it stands, so that no route has to. Nearly every
 * body is only looked at as text; what is no JSON at all is for the route to refuse.
 */
export const refuseUnstorable: MiddlewareHandler<GatewayEnv> = async (c, next) => {
  if (!isUpload(c.req.path) && JSON_TYPE.test(c.req.header('content-type') ?? '')) {
    const faults = faultsIn(await c.req.text());
    if (faults.length > 0) throw new InvalidRequest('The body has something in it that cannot be kept.', faults);
  }
  await next();
};

function faultsIn(text: string): Fault[] {
  if (!mayBeUnstorable(text)) return [];
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return [];
  }
  return findUnstorable(body, MAX_FAULTS).map(({ path, message }) => ({ path: path.join('.'), message }));
}
