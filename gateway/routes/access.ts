import { type OpenAPIHono, createRoute, z } from '@hono/zod-openapi';
import type { Transaction } from 'kysely';
import { DAY_MS } from '../../core/runtime/clock.ts';
import { actorOf } from '../actor.ts';
import type { GatewayDependencies, GatewayEnv } from '../context.ts';
import { nextPage, pageQuery } from '../paging.ts';
import { problemResponses } from '../problem.ts';
import * as schemas from './access-schemas.ts';
import { listApiKeys, listUsers } from '../../core/contexts/access/reads.ts';
import { type AuditedChange, recordChange } from '../../core/operations/record-change.ts';
import { exceeding, scopesOfRole } from '../../core/contexts/access/scopes.ts';
import { forgetCustomer } from '../../core/contexts/affiliates/writes.ts';
import { addUser, changeUser, readableUsers, subjectOfUser } from '../../core/contexts/access/users.ts';
import { issueApiKey, revokeApiKey, rotateApiKey } from '../../core/contexts/access/writes.ts';
import type { Database } from '../../core/database/tables.ts';
import { asMerchant } from '../../core/database/transaction.ts';
import { id } from '../../core/events/envelope.ts';
import { eraseSubject } from '../../core/people/subject-keys.ts';
import { LanewayError } from '../../core/runtime/errors.ts';

const tags = ['Access'];
const json = <Schema extends z.ZodType>(schema: Schema) => ({ 'application/json': { schema } });
const body = <Schema extends z.ZodType>(schema: Schema) => ({ required: true, content: json(schema) });
const readProblems = ['request.invalid', 'access.unauthenticated', 'access.forbidden', 'service.unavailable'] as const;
const writeProblems = [...readProblems, 'request.too_large', 'request.media_type'] as const;
const keyId = z.object({ keyId: id(128) });
const userId = z.object({ userId: id(64) });

const listKeysRoute = createRoute({
  method: 'get',
  path: '/v1/api-keys',
  operationId: 'listApiKeys',
  tags,
  summary: 'List API keys',
  request: { query: pageQuery },
  responses: {
    200: {
      description: 'Keys by id, never their secrets.',
      content: json(z.object({ keys: z.array(schemas.apiKey), next: nextPage })),
    },
    ...problemResponses(...readProblems),
  },
});

const createKeyRoute = createRoute({
  method: 'post',
  path: '/v1/api-keys',
  operationId: 'createApiKey',
  tags,
  summary: 'Create an API key',
  description: 'Nobody gives away more than they hold: scopes beyond those of the calling key are refused.',
  request: { body: body(schemas.newApiKey) },
  responses: {
    201: { description: 'The key, shown this once.', content: json(schemas.issuedKey) },
    ...problemResponses(...writeProblems, 'resource.not_found'),
  },
});

const rotateKeyRoute = createRoute({
  method: 'post',
  path: '/v1/api-keys/{keyId}/rotate',
  operationId: 'rotateApiKey',
  tags,
  summary: 'Replace an API key, with an overlap',
  request: { params: keyId, body: body(schemas.rotation) },
  responses: {
    201: { description: 'The new key, shown this once.', content: json(schemas.rotatedKey) },
    ...problemResponses(...writeProblems, 'resource.not_found'),
  },
});

const revokeKeyRoute = createRoute({
  method: 'delete',
  path: '/v1/api-keys/{keyId}',
  operationId: 'revokeApiKey',
  tags,
  summary: 'Revoke an API key',
  description:
    'It may still work for up to 30 seconds. The only key that can do everything stays, since others are made with it.',
  request: { params: keyId },
  responses: {
    204: { description: 'Revoked.' },
    ...problemResponses(...readProblems, 'resource.not_found', 'access.last_key'),
  },
});

const listUsersRoute = createRoute({
  method: 'get',
  path: '/v1/users',
  operationId: 'listUsers',
  tags,
  summary: 'List users',
  request: { query: pageQuery },
  responses: {
    200: { description: 'Users by id.', content: json(z.object({ users: z.array(schemas.user), next: nextPage })) },
    ...problemResponses(...readProblems),
  },
});

const createUserRoute = createRoute({
  method: 'post',
  path: '/v1/users',
  operationId: 'createUser',
  tags,
  summary: 'Add a user',
  request: { body: body(schemas.newUser) },
  responses: {
    201: { description: 'Added.', content: json(schemas.user) },
    ...problemResponses(...writeProblems, 'request.conflict'),
  },
});

const changeUserRoute = createRoute({
  method: 'patch',
  path: '/v1/users/{userId}',
  operationId: 'changeUser',
  tags,
  summary: "Change a user's role or access",
  request: { params: userId, body: body(schemas.userChange) },
  responses: {
    200: { description: 'As it is now.', content: json(schemas.user) },
    ...problemResponses(...writeProblems, 'resource.not_found', 'access.last_owner', 'access.last_key'),
  },
});

const eraseRoute = createRoute({
  method: 'post',
  path: '/v1/erasures',
  operationId: 'erasePerson',
  tags,
  summary: 'Erase a person',
  description:
    'Destroys the keys under which everything about the person is encrypted. It cannot be undone. Events about the person ' +
    'that were not worked yet are skipped.',
  request: { body: body(schemas.erasure) },
  responses: {
    202: { description: 'Erased.', content: json(schemas.erased) },
    ...problemResponses(...writeProblems),
  },
});

export const accessRoutes = [
  ...[listKeysRoute, createKeyRoute, rotateKeyRoute, revokeKeyRoute],
  ...[listUsersRoute, createUserRoute, changeUserRoute, eraseRoute],
];

export function addAccessRoutes(app: OpenAPIHono<GatewayEnv>, { db, clock, keyring }: GatewayDependencies): void {
  type Request = { get<Name extends keyof GatewayEnv['Variables']>(name: Name): GatewayEnv['Variables'][Name] };

  /** Makes a change and records it, in one transaction. */
  const change = async <T>(
    c: Request,
    work: (
      trx: Transaction<Database>,
      merchantId: string,
    ) => Promise<{ result: T } & Pick<AuditedChange, 'action' | 'subject' | 'before' | 'after'>>,
  ): Promise<T> => {
    const principal = c.get('principal');
    const { merchantId } = principal;
    return await asMerchant(db, merchantId, async (trx) => {
      const { result, ...what } = await work(trx, merchantId);
      await recordChange(
        trx,
        { merchantId, actor: actorOf(principal), correlationId: c.get('correlationId'), ...what },
        clock.now(),
      );
      if (c.get('deadline').aborted) throw new LanewayError('handler.deadline', 'nobody waits for the answer any more');
      return result;
    });
  };

  const refuseExcess = (c: Request, scopes: readonly string[]): void => {
    const excess = exceeding(c.get('principal'), scopes);
    if (excess.length > 0)
      throw new LanewayError(
        'access.forbidden',
        `This key cannot give away ${excess.join(', ')}: it does not have it.`,
      );
  };

  app.openapi(listKeysRoute, async (c) => {
    const { limit, after } = c.req.valid('query');
    const merchantId = c.get('merchantId');
    const page = await asMerchant(db, merchantId, (trx) =>
      listApiKeys(trx, merchantId, { limit, ...(after === undefined ? {} : { after }) }),
    );
    return c.json({ keys: page.items.map(schemas.showKey), next: page.next ?? null }, 200);
  });

  app.openapi(createKeyRoute, async (c) => {
    const { label, scopes, userId = null, expiresInDays } = c.req.valid('json');
    refuseExcess(c, scopes);
    const issued = await change(c, async (trx, merchantId) => {
      if (userId !== null && (await listUsers(trx, merchantId, { limit: 1, userId })).items.length === 0)
        throw new LanewayError('resource.not_found', `There is no user ${userId}.`);
      const expiresAt = expiresInDays === undefined ? null : new Date(clock.now() + expiresInDays * DAY_MS);
      const key = await issueApiKey(trx, { merchantId, label, scopes, userId, expiresAt }, clock.now());
      const after = { label, scopes, userId, expiresAt: expiresAt?.toISOString() ?? null };
      return { result: key, action: 'api_key.created', subject: key.keyId, after };
    });
    return c.json(issued, 201);
  });

  app.openapi(rotateKeyRoute, async (c) => {
    const { keyId } = c.req.valid('param');
    const overlapMs = c.req.valid('json').overlapHours * 3_600_000;
    const rotated = await change(c, async (trx, merchantId) => {
      const [old] = (await listApiKeys(trx, merchantId, { limit: 1, keyId })).items;
      // Of a key without scopes of its own: what it stands for.
      refuseExcess(c, old?.scopes ?? ['*']);
      const { oldExpiresAt, ...issued } = await rotateApiKey(trx, { merchantId, keyId, overlapMs }, clock.now());
      const oldEnds = oldExpiresAt.toISOString();
      const result = { ...issued, oldExpiresAt: oldEnds };
      return {
        result,
        action: 'api_key.rotated',
        subject: keyId,
        after: { replacedBy: issued.keyId, oldExpiresAt: oldEnds },
      };
    });
    return c.json(rotated, 201);
  });

  app.openapi(revokeKeyRoute, async (c) => {
    const { keyId } = c.req.valid('param');
    await change(c, async (trx, merchantId) => {
      await revokeApiKey(trx, { merchantId, keyId }, clock.now());
      return { result: undefined, action: 'api_key.revoked', subject: keyId };
    });
    return c.body(null, 204);
  });

  const readUser = async (trx: Transaction<Database>, merchantId: string, userId: string) => {
    const { items } = await listUsers(trx, merchantId, { limit: 1, userId });
    const [user] = await readableUsers(trx, keyring, merchantId, items);
    if (user === undefined) throw new LanewayError('resource.not_found', `There is no user ${userId}.`);
    return schemas.showUser(user);
  };

  app.openapi(listUsersRoute, async (c) => {
    const { limit, after } = c.req.valid('query');
    const merchantId = c.get('merchantId');
    const page = await asMerchant(db, merchantId, async (trx) => {
      const { items, next } = await listUsers(trx, merchantId, { limit, ...(after === undefined ? {} : { after }) });
      return { users: await readableUsers(trx, keyring, merchantId, items), next };
    });
    return c.json({ users: page.users.map(schemas.showUser), next: page.next ?? null }, 200);
  });

  app.openapi(createUserRoute, async (c) => {
    const wanted = c.req.valid('json');
    refuseExcess(c, scopesOfRole(wanted.role));
    const user = await change(c, async (trx, merchantId) => {
      if (!(await addUser(trx, keyring, { merchantId, ...wanted }, clock.now())))
        throw new LanewayError('request.conflict', `There is a user ${wanted.userId} already.`);
      const result = await readUser(trx, merchantId, wanted.userId);
      return { result, action: 'user.added', subject: wanted.userId, after: { role: wanted.role } };
    });
    return c.json(user, 201);
  });

  app.openapi(changeUserRoute, async (c) => {
    const { userId } = c.req.valid('param');
    const { role, disabled } = c.req.valid('json');
    const wanted = { ...(role === undefined ? {} : { role }), ...(disabled === undefined ? {} : { disabled }) };
    if (role !== undefined) refuseExcess(c, scopesOfRole(role));
    const user = await change(c, async (trx, merchantId) => {
      const before = await changeUser(trx, { merchantId, userId, ...wanted }, clock.now());
      const result = await readUser(trx, merchantId, userId);
      return { result, action: 'user.changed', subject: userId, before, after: wanted };
    });
    return c.json(user, 200);
  });

  app.openapi(eraseRoute, async (c) => {
    const asked = c.req.valid('json');
    const subjectId = 'userId' in asked ? subjectOfUser(asked.userId) : asked.personId;
    const erased = await change(c, async (trx, merchantId) => {
      const keys = await eraseSubject(trx, keyring, { merchantId, subjectId }, clock.now());
      await forgetCustomer(trx, keyring, merchantId, subjectId);
      // By its keys: the record must not name whom it says was erased.
      return { result: { keysDestroyed: keys.length }, action: 'person.erased', subject: keys.join(' ') };
    });
    return c.json(erased, 202);
  });
}
