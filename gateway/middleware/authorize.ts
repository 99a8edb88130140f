import type { MiddlewareHandler } from 'hono';
import type { GatewayEnv } from '../context.ts';
import { type Resource, type Scope, permits, resources } from '../../core/contexts/access/scopes.ts';
import { LanewayError } from '../../core/runtime/errors.ts';

/** First segments of paths that are not called as the resource they belong to. */
const belongsTo: Readonly<Partial<Record<string, Resource>>> = {
  'ad-networks': 'campaigns',
  'api-keys': 'access',
  'audit-log': 'audit',
  'campaign-rules': 'campaigns',
  'campaign-settings': 'campaigns',
  erasures: 'access',
  feeds: 'products',
  maintenance: 'platform',
  offers: 'promotions',
  operations: 'campaigns',
  'product-imports': 'imports',
  quotas: 'platform',
  users: 'access',
};

const isResource = (name: string): name is Resource => resources.some((resource) => resource === name);

/** What a request needs; undefined for a path that no resource owns. */
export function scopeOf(method: string, path: string): Scope | undefined {
  const segment = /^\/v1\/([^/]+)/.exec(path)?.[1] ?? '';
  const resource = belongsTo[segment] ?? (isResource(segment) ? segment : undefined);
  if (resource === undefined) return undefined;
  return `${resource}:${method === 'GET' || method === 'HEAD' ? 'read' : 'write'}`;
}

/** By path and method, so that no route can forget it. What no resource owns, only keys without any limit reach. */
export const authorize: MiddlewareHandler<GatewayEnv> = async (c, next) => {
  const principal = c.get('principal');
  const needed = scopeOf(c.req.method, c.req.path);
  const unlimited = principal.scopes === null && (principal.role === null || principal.role === 'owner');
  if (needed === undefined ? !unlimited : !permits(principal, needed))
    throw new LanewayError(
      'access.forbidden',
      needed === undefined ? 'This API key is limited to other resources.' : `This needs the scope ${needed}.`,
    );
  await next();
};
