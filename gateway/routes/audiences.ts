import { type OpenAPIHono, createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { commitOnce } from '../commit-once.ts';
import type { GatewayDependencies, GatewayEnv } from '../context.ts';
import { nextPage, pageQuery } from '../paging.ts';
import { problemResponses } from '../problem.ts';
import { markReply, onceHeaders, onceOf } from './campaigns.ts';
import { readAudienceStates } from '../../core/contexts/ad-networks/reads.ts';
import { getSegment, listSegments } from '../../core/contexts/audiences/reads.ts';
import {
  type AudienceOrigin,
  changeMembers,
  createSegment,
  deleteSegment,
  removePerson,
} from '../../core/contexts/audiences/writes.ts';
import { adNetworkIds } from '../../core/contexts/campaigns/events.ts';
import { asMerchant } from '../../core/database/transaction.ts';
import { id } from '../../core/events/envelope.ts';
import { LanewayError } from '../../core/runtime/errors.ts';

const tags = ['Audiences'];
const segmentId = z.object({ audienceId: id(128) });
const MAX_MEMBERS = 1_000;

const newAudience = z
  .strictObject({ name: id(200), adNetworkIds: z.array(z.enum(adNetworkIds)).min(1).max(adNetworkIds.length) })
  .openapi('NewAudience', { example: { name: 'Repeat buyers', adNetworkIds: ['meta'] } });

const person = {
  email: z.string().max(320).optional(),
  phone: z.string().max(40).optional().describe('With its country code: `+49 151 …`.'),
};
const memberChanges = z
  .strictObject({
    add: z
      .array(
        z.strictObject({
          ...person,
          consent: z
            .strictObject({ adUserData: z.boolean(), adPersonalization: z.boolean() })
            .describe('Without both, the member is kept off the networks, and taken off if it was there.'),
        }),
      )
      .max(MAX_MEMBERS)
      .default([]),
    remove: z.array(z.strictObject(person)).max(MAX_MEMBERS).default([]),
  })
  .refine(({ add, remove }) => add.length + remove.length > 0, { error: 'nothing to change' })
  .openapi('AudienceMemberChanges', {
    example: {
      add: [{ email: 'jo@example.com', consent: { adUserData: true, adPersonalization: true } }],
      remove: [{ phone: '+49 151 23456789' }],
    },
  });
const personToRemove = z.strictObject(person).openapi('AudiencePerson', { example: { email: 'jo@example.com' } });

const audience = z
  .object({
    audienceId: z.string(),
    name: z.string(),
    adNetworkIds: z.array(z.string()),
    createdAt: z.iso.datetime(),
    networks: z.array(
      z.object({
        adNetworkId: z.string(),
        status: z.enum(['pending', 'live', 'failed', 'deleted']),
        changesBehind: z.int().openapi({ description: 'Changes of members that the network does not have yet.' }),
        error: z.object({ code: z.string(), message: z.string() }).nullable(),
      }),
    ),
  })
  .openapi('Audience');
const accepted = z.object({ audienceId: z.string(), accepted: z.literal(true) }).openapi('AudienceChangeAccepted');
const removed = z.object({ audiences: z.int() }).openapi('AudiencePersonRemoved');

const json = <T extends z.ZodType>(schema: T) => ({ required: true, content: { 'application/json': { schema } } });
const answer = <T extends z.ZodType>(description: string, schema: T) => ({
  description,
  content: { 'application/json': { schema } },
});
const writeProblems = [
  'request.invalid',
  'access.unauthenticated',
  'request.conflict',
  'request.too_large',
  'request.media_type',
  'request.key_reused',
  'service.unavailable',
] as const;

const createAudience = createRoute({
  method: 'post',
  path: '/v1/audiences',
  operationId: 'createAudience',
  tags,
  summary: 'Create an audience',
  request: { headers: onceHeaders, body: json(newAudience) },
  responses: { 201: answer('The audience, empty.', audience), ...problemResponses(...writeProblems) },
});
const listAudiences = createRoute({
  method: 'get',
  path: '/v1/audiences',
  operationId: 'listAudiences',
  tags,
  summary: 'List audiences',
  request: { query: pageQuery },
  responses: {
    200: answer('A page of audiences, by id.', z.object({ audiences: z.array(audience), next: nextPage })),
    ...problemResponses('request.invalid', 'access.unauthenticated', 'service.unavailable'),
  },
});
const readAudience = createRoute({
  method: 'get',
  path: '/v1/audiences/{audienceId}',
  operationId: 'readAudience',
  tags,
  summary: 'Read an audience and how far its networks are',
  request: { params: segmentId },
  responses: {
    200: answer('The audience.', audience),
    ...problemResponses('request.invalid', 'access.unauthenticated', 'audiences.not_found', 'service.unavailable'),
  },
});
const changeAudienceMembers = createRoute({
  method: 'post',
  path: '/v1/audiences/{audienceId}/members',
  operationId: 'changeAudienceMembers',
  tags,
  summary: 'Add and remove members',
  description:
    'E-mail addresses and phone numbers are hashed before anything is stored; they are kept nowhere in clear.',
  request: { params: segmentId, headers: onceHeaders, body: json(memberChanges) },
  responses: {
    202: answer('The networks will follow.', accepted),
    ...problemResponses(...writeProblems, 'audiences.not_found', 'audiences.identifier_invalid'),
  },
});
const deleteAudience = createRoute({
  method: 'delete',
  path: '/v1/audiences/{audienceId}',
  operationId: 'deleteAudience',
  tags,
  summary: 'Delete an audience, here and on its networks',
  request: { params: segmentId, headers: onceHeaders },
  responses: {
    202: answer('The networks will follow.', accepted),
    ...problemResponses(...writeProblems, 'audiences.not_found'),
  },
});
const removeAudiencePerson = createRoute({
  method: 'post',
  path: '/v1/audiences/people/remove',
  operationId: 'removeAudiencePerson',
  tags,
  summary: 'Take a person out of every audience and off every network',
  request: { headers: onceHeaders, body: json(personToRemove) },
  responses: {
    202: answer('In how many audiences the person was.', removed),
    ...problemResponses(...writeProblems, 'audiences.identifier_invalid'),
  },
});

export const audienceRoutes = [
  createAudience,
  listAudiences,
  readAudience,
  changeAudienceMembers,
  deleteAudience,
  removeAudiencePerson,
];

export function addAudienceRoutes(app: OpenAPIHono<GatewayEnv>, dependencies: GatewayDependencies): void {
  const { db, registry, clock } = dependencies;
  const originOf = (c: Context<GatewayEnv>): AudienceOrigin => ({
    registry,
    merchantId: c.get('merchantId'),
    correlationId: c.get('correlationId'),
    traceparent: c.get('traceparent'),
    nowMs: clock.now(),
  });
  const locationOf = (audienceId: string) => `/v1/audiences/${encodeURIComponent(audienceId)}`;

  app.openapi(createAudience, async (c) => {
    const wanted = c.req.valid('json');
    const once = onceOf(c, c.req.valid('header')['idempotency-key'], wanted);
    const { body, replayed, location } = await commitOnce(dependencies, once, async (trx) => {
      const origin = originOf(c);
      const audienceId = await createSegment(trx, origin, wanted);
      const made = { ...wanted, createdAt: new Date(origin.nowMs).toISOString(), networks: [] };
      return { reply: { status: 201, location: locationOf(audienceId), body: { audienceId, ...made } }, events: [] };
    });
    markReply(c, location, replayed);
    return c.json(body, 201);
  });

  app.openapi(removeAudiencePerson, async (c) => {
    const wanted = c.req.valid('json');
    const once = onceOf(c, c.req.valid('header')['idempotency-key'], wanted);
    const { body, replayed, location } = await commitOnce(dependencies, once, async (trx) => {
      const { segments, events } = await removePerson(trx, originOf(c), wanted);
      return { reply: { status: 202, location: '/v1/audiences', body: { audiences: segments } }, events };
    });
    markReply(c, location, replayed);
    return c.json(body, 202);
  });

  app.openapi(changeAudienceMembers, async (c) => {
    const { audienceId } = c.req.valid('param');
    const wanted = c.req.valid('json');
    const once = onceOf(c, c.req.valid('header')['idempotency-key'], wanted);
    const { body, replayed, location } = await commitOnce(dependencies, once, async (trx) => {
      const events = await changeMembers(trx, originOf(c), { segmentId: audienceId, ...wanted });
      return {
        reply: { status: 202, location: locationOf(audienceId), body: { audienceId, accepted: true as const } },
        events,
      };
    });
    markReply(c, location, replayed);
    return c.json(body, 202);
  });

  app.openapi(deleteAudience, async (c) => {
    const { audienceId } = c.req.valid('param');
    const once = onceOf(c, c.req.valid('header')['idempotency-key'], {});
    const { body, replayed, location } = await commitOnce(dependencies, once, async (trx) => {
      const events = await deleteSegment(trx, originOf(c), audienceId);
      return {
        reply: { status: 202, location: locationOf(audienceId), body: { audienceId, accepted: true as const } },
        events,
      };
    });
    markReply(c, location, replayed);
    return c.json(body, 202);
  });

  app.openapi(listAudiences, async (c) => {
    const { limit, after } = c.req.valid('query');
    const merchantId = c.get('merchantId');
    const { page, states } = await asMerchant(db, merchantId, async (trx) => {
      const found = await listSegments(trx, merchantId, { limit, ...(after === undefined ? {} : { after }) });
      const ids = found.items.map((each) => each.segmentId);
      return { page: found, states: await readAudienceStates(trx, merchantId, ids) };
    });
    return c.json({ audiences: page.items.map((each) => show(each, states)), next: page.next ?? null }, 200);
  });

  app.openapi(readAudience, async (c) => {
    const { audienceId } = c.req.valid('param');
    const merchantId = c.get('merchantId');
    const shown = await asMerchant(db, merchantId, async (trx) => {
      const found = await getSegment(trx, merchantId, audienceId);
      if (found === undefined || found.state === 'deleted')
        throw new LanewayError('audiences.not_found', `You have no audience ${audienceId}.`);
      return show(found, await readAudienceStates(trx, merchantId, [audienceId]));
    });
    return c.json(shown, 200);
  });
}

type Found = NonNullable<Awaited<ReturnType<typeof getSegment>>>;
type States = Awaited<ReturnType<typeof readAudienceStates>>;

const show = ({ segmentId: audienceId, lastSeq, ...segment }: Found, states: States): z.infer<typeof audience> => ({
  audienceId,
  name: segment.name,
  adNetworkIds: segment.adNetworkIds,
  createdAt: segment.createdAt.toISOString(),
  networks: states
    .filter((state) => state.segmentId === audienceId)
    .map((state) => ({
      adNetworkId: state.adNetworkId,
      status: state.status,
      changesBehind: Math.max(0, lastSeq - state.syncedSeq),
      error: state.errorCode === null ? null : { code: state.errorCode, message: state.errorMessage ?? '' },
    })),
});
