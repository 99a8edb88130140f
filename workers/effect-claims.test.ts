import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { randomUUID } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type EffectClaims, createEffectClaims } from './effect-claims.ts';
import { connectDynamoDB } from '../core/clients/dynamodb.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import { silentLog } from '../core/runtime/log.ts';
import { createDynamoTable } from '../core/testing/dynamo-table.ts';

interface Setup extends Disposable {
  claims: EffectClaims;
  /** The claims' wall time; moved by the test. */
  time: { now: number };
}

async function setup(): Promise<Setup> {
  const dynamodb: DynamoDBClient = connectDynamoDB();
  const tableName = `claims-${randomUUID()}`;
  await createDynamoTable(dynamodb, tableName);
  const time = { now: 1_000_000_000_000 };
  const clock = { now: () => time.now, sleep: () => Promise.resolve() };
  const claims = createEffectClaims({ dynamodb, tableName, clock, log: silentLog });
  return { claims, time, [Symbol.dispose]: () => dynamodb.destroy() };
}

const result = { externalId: 'x1', actual: { state: 'active' } };

test('of many that claim at once one wins, and the others learn until when', async () => {
  using s = await setup();
  const claims = await Promise.all(Array.from({ length: 20 }, (_, n) => s.claims.claim('k', `o${n}`, 5_000)));
  assert.is(claims.filter(({ kind }) => kind === 'fresh').length, 1);
  assert.equal(
    claims.find(({ kind }) => kind !== 'fresh'),
    { kind: 'busy', untilMs: 1_000_000_005_000 },
  );
});

test('a claim whose lease has passed is taken over, and says that somebody was there', async () => {
  using s = await setup();
  await s.claims.claim('k', 'first', 5_000);
  s.time.now += 5_001;
  assert.equal(await s.claims.claim('k', 'second', 5_000), { kind: 'taken-over' });
  await s.claims.complete('k', 'first', result);
  assert.is((await s.claims.claim('k', 'third', 5_000)).kind, 'busy');
});

test('a completed claim gives its result, however old its lease', async () => {
  using s = await setup();
  await s.claims.claim('k', 'first', 5_000);
  await s.claims.complete('k', 'first', result);
  s.time.now += 86_400_000;
  assert.equal(await s.claims.claim('k', 'second', 5_000), { kind: 'completed', result });
  await s.claims.release('k', 'first');
  assert.equal(await s.claims.claim('k', 'second', 5_000), { kind: 'completed', result });
});

test('what was released, or has expired without being deleted, is fresh or looked up again', async () => {
  using s = await setup();
  await s.claims.claim('k', 'first', 5_000);
  await s.claims.release('k', 'second');
  assert.is((await s.claims.claim('k', 'second', 5_000)).kind, 'busy');
  await s.claims.release('k', 'first');
  assert.equal(await s.claims.claim('k', 'second', 5_000), { kind: 'fresh' });
  await s.claims.complete('k', 'second', result);
  s.time.now += 91 * 86_400_000;
  assert.equal(await s.claims.claim('k', 'third', 5_000), { kind: 'taken-over' });
});

test('without its table nothing can be claimed', async () => {
  using dynamodb = Object.assign(connectDynamoDB(), {
    [Symbol.dispose](this: DynamoDBClient) {
      this.destroy();
    },
  });
  const clock = { now: () => 0, sleep: () => Promise.resolve() };
  const claims = createEffectClaims({ dynamodb, tableName: 'missing', clock, log: silentLog });
  const failure: unknown = await claims.claim('k', 'o', 1).then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.instance(failure, LanewayError);
  assert.is(failure instanceof LanewayError && failure.code, 'service.unavailable');
});

test.run();
