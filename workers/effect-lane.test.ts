import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type EffectTenure,
  type OpenIntent,
  changeIntent,
  lockIntent,
  markSending,
  takeDueIntent,
} from './effect-lane.ts';
import { declareIntents } from '../core/database/intents.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import { type World, createWorld } from '../core/testing/world.ts';

const key = { merchantId: 'm', destination: 'ad-network:meta' };
const old: EffectTenure = { owner: 'old', worker: 'w1' };
const next: EffectTenure = { owner: 'next', worker: 'w2' };
const LEASE = 1_000;
const T0 = 1_000_000;

const intentFor = (objectKey: string, now: number) => ({
  ...key,
  objectKey,
  desired: { now },
  eventId: 'e',
  eventType: 'T',
  handler: 'h',
  mseq: 1,
  day: '2026-11-23',
  correlationId: 'c',
  traceparent: 't',
  deadlineMs: 500,
});
const declare = ({ postgres }: World, objectKey: string, now = T0) =>
  postgres.db.transaction().execute((trx) => declareIntents(trx, [intentFor(objectKey, now)], now));

const take = ({ postgres }: World, tenure: EffectTenure, first: boolean, now: number) =>
  takeDueIntent(postgres.db, key, tenure, first, now, LEASE);
const mark = ({ postgres }: World, tenure: EffectTenure, intent: OpenIntent, now: number) =>
  markSending(postgres.db, key, tenure, intent, now, now + LEASE + 500);
const stands = ({ postgres }: World, tenure: EffectTenure, intent: OpenIntent, madeTheCall: boolean) =>
  postgres.db.transaction().execute((trx) => lockIntent(trx, key, tenure, intent, madeTheCall));
const lane = ({ postgres }: World) => postgres.db.selectFrom('effect_lanes').selectAll().executeTakeFirstOrThrow();

const codeOf = async (work: Promise<unknown>): Promise<string | undefined> => {
  try {
    await work;
    return undefined;
  } catch (error) {
    return error instanceof LanewayError ? error.code : String(error);
  }
};

test('whoever lost the lane can neither take nor begin anything', async () => {
  await using world = await createWorld();
  await declare(world, 'c1');
  const intent = await take(world, old, true, T0);
  assert.ok(intent);
  assert.ok(await take(world, next, true, T0));
  assert.is(await codeOf(take(world, old, false, T0)), 'fence.lost');
  assert.is(await codeOf(mark(world, old, intent, T0)), 'fence.lost');
  assert.is(await codeOf(stands(world, old, intent, false)), 'fence.lost');
});

test('who made a call may record its outcome without the lane, until the call must be over and another takes it up', async () => {
  await using world = await createWorld();
  await declare(world, 'c1');
  const intent = await take(world, old, true, T0);
  assert.ok(intent);
  const sending = await mark(world, old, intent, T0);
  assert.ok(sending);
  await declare(world, 'c2');
  assert.is((await take(world, next, true, T0))?.objectKey, 'c2');
  assert.ok(await stands(world, old, sending, true));

  const later = T0 + LEASE + 500;
  await world.postgres.db.deleteFrom('intents').where('object_key', '=', 'c2').execute();
  const found = await take(world, next, true, later);
  assert.equal([found?.state, found?.attempt], ['sending', 1]);
  assert.ok(found);
  assert.ok(await mark(world, next, found, later));
  assert.is(await stands(world, old, sending, true), undefined);
});

test('an actor that finds nothing due leaves the lane to whoever is in the middle of a call', async () => {
  await using world = await createWorld();
  await declare(world, 'c1');
  const intent = await take(world, old, true, T0);
  assert.ok(intent);
  await mark(world, old, intent, T0);
  assert.is(await take(world, next, true, T0 + 1), undefined);
  const { owner, due_at } = await lane(world);
  assert.equal([owner, due_at?.getTime()], ['old', T0 + LEASE + 500]);
});

test('an intent that was replaced before its call began is not sent', async () => {
  await using world = await createWorld();
  await declare(world, 'c1');
  const intent = await take(world, old, true, T0);
  assert.ok(intent);
  await declare(world, 'c1', T0 + 1);
  assert.is(await mark(world, old, intent, T0 + 2), undefined);
  assert.is((await take(world, old, false, T0 + 2))?.version, 2);
});

test('a lane that is left is due when its earliest open intent is, and not at all without one', async () => {
  await using world = await createWorld();
  await declare(world, 'c1');
  const change = {
    attempt: 1,
    keepMark: false,
    externalId: null,
    firstError: null,
    lastError: null,
    firstUnavailableAt: null,
  };
  await world.postgres.db
    .transaction()
    .execute((trx) => changeIntent(trx, key, 'c1', { ...change, state: 'pending', notBefore: T0 + 7_000 }, T0));
  assert.is(await take(world, old, true, T0), undefined);
  assert.is((await lane(world)).due_at?.getTime(), T0 + 7_000);
  await world.postgres.db
    .transaction()
    .execute((trx) => changeIntent(trx, key, 'c1', { ...change, state: 'done', notBefore: null }, T0));
  assert.is(await take(world, old, true, T0), undefined);
  assert.is((await lane(world)).due_at, null);
});

test('an intent declared while its lane is being left is not overlooked', async () => {
  await using world = await createWorld();
  await declare(world, 'c1');
  await world.postgres.db.updateTable('intents').set({ state: 'done' }).execute();
  const { promise: declared, resolve: finish } = Promise.withResolvers<void>();
  const { promise: locked, resolve: lockedNow } = Promise.withResolvers<void>();
  const declaring = world.postgres.db.transaction().execute(async (trx) => {
    await declareIntents(trx, [intentFor('c2', T0)], T0);
    lockedNow();
    await declared;
  });
  await locked;
  const leaving = take(world, old, true, T0);
  finish();
  await declaring;
  assert.is((await leaving)?.objectKey, 'c2');
});

test.run();
