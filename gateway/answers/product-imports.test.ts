// test-stack
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { startGateway } from '../testing/start-gateway.ts';
import { productCoreDataUpdatedEvent } from '../../core/contexts/catalog/events.ts';
import { createFetchChanges } from '../../core/contexts/core-platform/fetch-changes.ts';
import { createImportDriver, readLines } from '../../core/contexts/core-platform/import-driver.ts';
import { createPullDriver } from '../../core/contexts/core-platform/pull-driver.ts';
import { corePlatformJobs } from '../../core/contexts/core-platform/schedules.ts';
import type { BuiltEvent } from '../../core/events/build.ts';
import type { DestinationDriver } from '../../core/events/destination.ts';
import { registry } from '../../core/events/registry.ts';
import { LanewayError } from '../../core/runtime/errors.ts';

/** The gateway, with drivers that the schedule sets to work as effect actors would. */
async function setUp() {
  const gateway = await startGateway();
  const { db } = gateway.world.postgres;
  const merchant = `shop-${gateway.world.stack}`;
  const as = await gateway.addMerchant(merchant);
  const published: BuiltEvent[] = [];
  const hold = { accept: true, breakAfter: Infinity };
  let mseq = 0;
  const publish = async (events: readonly BuiltEvent[]) => {
    for (const event of events) {
      if (published.length >= hold.breakAfter)
        throw new LanewayError('effect.unavailable', 'away', { retry: 'backoff' });
      published.push(event);
    }
    if (!hold.accept) return;
    const day = new Date(gateway.clock.now()).toISOString().slice(0, 10);
    for (const { eventId } of events) {
      const row = { merchant_id: merchant, event_id: eventId, body_hmac: Buffer.from('h'), mseq: ++mseq, day };
      const accepted = { ...row, accepted_at: new Date(gateway.clock.now()) };
      await db
        .insertInto('accepted')
        .values(accepted)
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    }
  };
  const { clock } = gateway;
  const fetchChanges = createFetchChanges({ baseUrl: `${gateway.world.networksUrl}/core-platform`, token: 't' });
  const drivers: Record<string, DestinationDriver> = {
    'product-import': createImportDriver({ db, registry, publish, clock, roomMs: 0 }),
    'core-platform': createPullDriver({ db, registry, publish, fetchChanges }),
  };
  /** What the schedule declares, then calls until nothing follows or one fails or waits. Answers with how it ended. */
  const work = async (): Promise<string> => {
    const now = clock.now();
    const turn = { period: { startMs: now, endMs: now + 1 }, nowMs: now, after: '', limit: 10 };
    for (const job of corePlatformJobs) await db.transaction().execute((trx) => job.due(trx, turn));
    const intents = await db.selectFrom('intents').selectAll().execute();
    for (const { destination, object_key: objectKey, desired } of intents) {
      let wanted: Record<string, unknown> | undefined = desired;
      while (wanted !== undefined) {
        const call = {
          ...{ merchantId: merchant, destination, objectKey, version: 1, desired: wanted, externalId: undefined },
          ...{ idempotencyKey: 'k', eventId: 'e', correlationId: 'cor-9', traceparent: 'tp' },
        };
        const driver = drivers[destination];
        assert.ok(driver !== undefined);
        let next: Record<string, unknown> | undefined;
        let waits = false;
        try {
          const result = await driver.send(call, new AbortController().signal);
          const context = {
            now: clock.now(),
            emit: () => undefined,
            intend: (intent: { desired: Record<string, unknown>; notBeforeMs?: number }) => {
              next = intent.desired;
              waits = intent.notBeforeMs !== undefined;
            },
          };
          await db.transaction().execute((trx) => driver.recordSuccess(trx, call, result, undefined, context));
        } catch (error) {
          return error instanceof LanewayError ? error.code : String(error);
        }
        if (next !== undefined)
          await db
            .updateTable('intents')
            .set({ desired: JSON.stringify(next) })
            .where('object_key', '=', objectKey)
            .execute();
        if (waits) return 'waits';
        wanted = next;
      }
    }
    await db.deleteFrom('intents').execute();
    return 'done';
  };
  return {
    ...{ gateway, db, as, merchant, published, hold, work },
    [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
  };
}

const payloads = (events: readonly BuiltEvent[]) => events.map(({ body }) => JSON.parse(body.toString('utf8')).payload);

test('lines are uploaded in pieces, worked in parts as the lane has room, resumed where they broke off, and told apart when bad', async () => {
  await using imports = await setUp();
  const { gateway, as, published, hold, work, db } = imports;
  const call = async (expected: number, method: string, path: string, body?: string, key = as) => {
    const headers = { 'content-type': 'application/x-ndjson' };
    const answer = await gateway.call(path, { as: key, method, ...(body === undefined ? {} : { body, headers }) });
    assert.is(answer.status, expected, `${method} ${path}: ${answer.text}`);
    return JSON.parse(answer.text);
  };
  const product = (n: number) =>
    `{"productId":"p-${n}","changedAttributes":{"title":"Shoe ${n}","description":"${'x'.repeat(1_500)}","priceMinor":${n},"currency":"EUR"}}\n`;
  const lines = Array.from({ length: 1_100 }, (_, n) => product(n));
  lines[3] = 'not json\n';
  lines[700] = '{"productId":7}\n';
  lines[701] = '\n';
  lines[702] = '{"productId":"p-702","timestamp":"0000-01-01T00:00:00+23:59"}\n';
  const made = await call(201, 'POST', '/v1/product-imports');
  const path = `/v1/product-imports/${made.importId}`;
  assert.is((await call(409, 'POST', `${path}/start`)).code, 'imports.illegal_state');
  const first = lines.slice(0, 900).join('');
  assert.ok(first.length > 1_048_576, 'more than any other body may have');
  const kept = await call(200, 'PUT', `${path}/content?from=0`, first);
  assert.equal([kept.receivedBytes, kept.receivedLines], [first.length, 900]);
  assert.is((await call(409, 'PUT', `${path}/content?from=0`, first)).code, 'imports.illegal_state');
  const rest = lines.slice(900).join('').trimEnd();
  assert.is((await call(200, 'PUT', `${path}/content?from=${first.length}`, rest)).receivedLines, 1_100);
  assert.is((await call(202, 'POST', `${path}/start`)).state, 'ready');
  assert.is(
    (await call(409, 'PUT', `${path}/content?from=${first.length + rest.length}`, '{}')).code,
    'imports.illegal_state',
  );
  const other = await gateway.addMerchant('shop-other');
  await call(404, 'GET', path, undefined, other);

  hold.breakAfter = 700;
  const ended = await work();
  const broken = await call(200, 'GET', path);
  assert.equal([ended, broken.state, published.length], ['effect.unavailable', 'running', 700]);
  assert.ok(broken.published < 700 && broken.published > 0);
  hold.breakAfter = Infinity;
  hold.accept = false;
  assert.is(await work(), 'waits', 'what was published was not accepted yet');
  const waiting = published.length;
  assert.is(await work(), 'waits');
  assert.is(published.length, waiting);
  hold.accept = true;
  const last = await db.selectFrom('product_imports').select('last_event_id').executeTakeFirstOrThrow();
  const at = { mseq: 5_000, day: new Date(gateway.clock.now()).toISOString().slice(0, 10) };
  const accepted = {
    merchant_id: imports.merchant,
    event_id: last.last_event_id ?? '',
    body_hmac: Buffer.from('h'),
    ...at,
  };
  await db
    .insertInto('accepted')
    .values({ ...accepted, accepted_at: new Date() })
    .execute();
  const mailbox = { merchant_id: imports.merchant, last_day: at.day, touched_at: new Date() };
  await db
    .insertInto('mailbox')
    .values({ ...mailbox, next_mseq: 1_001 })
    .execute();
  assert.is(await work(), 'waits', 'the lane is full');
  await db.updateTable('mailbox').set({ next_mseq: 1_000 }).execute();
  assert.is(await work(), 'done');
  const done = await call(200, 'GET', path);
  assert.equal([done.state, done.published, done.refused], ['done', 1_096, 3]);
  const byId = new Map(published.map((event) => [event.eventId, event.body.toString('utf8')]));
  assert.is(byId.size, 1_096);
  assert.ok(published.every(({ eventId, body }) => byId.get(eventId) === body.toString('utf8')));
  assert.is(published.length > 1_096, true, 'a part that broke off was published again');
  assert.equal(payloads(published.slice(-1))[0].productId, 'p-1099');
  assert.equal((await call(200, 'GET', `${path}/errors`)).errors, [
    { line: 4, path: '', message: 'is not JSON' },
    { line: 701, path: 'productId', message: 'Invalid input: expected string, received number' },
    { line: 703, path: 'timestamp', message: 'must lie in the years 0001 to 9999 of UTC' },
  ]);
  assert.equal(await db.selectFrom('product_import_parts').select('part').execute(), []);

  const long = await call(201, 'POST', '/v1/product-imports');
  const tooLong = `{"productId":"a"}\n${'y'.repeat(300_000)}`;
  const refused = await call(400, 'PUT', `/v1/product-imports/${long.importId}/content`, tooLong);
  assert.is(refused.errors[0].path, 'near line 2');
});

test('a line that no event can carry is refused alone, and an import that fails has ended', async () => {
  await using imports = await setUp();
  const { gateway, as, db, merchant } = imports;
  const lines = { text: '{"productId":"p-1"}\n{"productId":"p-2"}', first: 1, createdAt: new Date(0) };
  const { name } = productCoreDataUpdatedEvent;
  const version = { version: '2.0.0', schema: z.looseObject({ productId: z.literal('p-2') }) };
  const stricter = new Map([...registry, [name, { ...productCoreDataUpdatedEvent, versions: [version] } as const]]);
  const { events, errors } = readLines(stricter, { merchantId: merchant, importId: 'imp-1' }, lines);
  assert.equal([payloads(events)[0].productId, events.length], ['p-2', 1]);
  assert.equal([errors.length, errors[0]?.line], [1, 1]);
  assert.match(errors[0]?.message ?? '', /cannot be emitted: productId/);

  const { importId } = JSON.parse((await gateway.call('/v1/product-imports', { as, method: 'POST' })).text);
  await db.updateTable('product_imports').set({ state: 'running' }).execute();
  const driver = createImportDriver({ db, registry, publish: async () => undefined, clock: gateway.clock });
  const call = {
    ...{ merchantId: merchant, destination: 'product-import', objectKey: importId, version: 1, desired: { part: 0 } },
    ...{ externalId: undefined, idempotencyKey: 'k', eventId: 'e', correlationId: 'cor-9', traceparent: 'tp' },
  };
  const context = { now: gateway.clock.now(), emit: () => undefined, intend: () => undefined };
  const error = new LanewayError('effect.rejected', 'it is gone');
  await db.transaction().execute((trx) => driver.recordFailure(trx, call, error, context));
  const failed = JSON.parse((await gateway.call(`/v1/product-imports/${importId}`, { as })).text);
  assert.equal(
    [failed.state, failed.failure, failed.finishedAt],
    ['failed', 'it is gone', new Date(context.now).toISOString()],
  );
});

test('changes are pulled page after page from where the last pull ended, and each request says what it belongs to', async () => {
  await using imports = await setUp();
  const { gateway, as, published, hold, work, merchant } = imports;
  const change = (n: number) => ({
    changeId: `c-${n}`,
    productId: `p-${n}`,
    operationType: 'update',
    timestamp: '2026-11-23T10:15:00.000Z',
    changedAttributes: { title: `Shoe ${n}` },
  });
  const happen = (body: Record<string, unknown>) =>
    fetch(`${gateway.world.networksUrl}/_core-platform/changes`, {
      method: 'POST',
      body: JSON.stringify({ merchantId: merchant, ...body }),
    });
  const pull = async () => {
    const answer = await gateway.call('/v1/product-imports/pull', { as });
    const { published: count, refused, lastRefusal, enabled } = JSON.parse(answer.text);
    return [enabled, count, refused, lastRefusal];
  };
  await happen({ changes: Array.from({ length: 450 }, (_, n) => (n === 7 ? { changeId: 'c-7' } : change(n))) });
  assert.equal([await work(), await pull()], ['done', [false, 0, 0, null]]);
  const path = '/v1/product-imports/pull';
  assert.is((await gateway.call(path, { as, method: 'PUT', body: { enabled: true } })).status, 204);
  hold.breakAfter = 250;
  assert.is(await work(), 'effect.unavailable');
  const refusal = 'c-7: Invalid input: expected string, received undefined';
  assert.equal(await pull(), [true, 199, 1, refusal]);
  hold.breakAfter = Infinity;
  assert.is(await work(), 'done');
  assert.equal(await pull(), [true, 449, 1, refusal]);
  assert.is(new Set(published.map(({ eventId }) => eventId)).size, 449);
  await happen({ changes: [change(450)], fail: { status: 429, times: 1 } });
  assert.is(await work(), 'effect.limited');
  await happen({ fail: { status: 503, times: 1 } });
  assert.is(await work(), 'effect.unavailable');
  assert.is(await work(), 'done');
  assert.equal([(await pull())[1], payloads(published.slice(-1))[0].productId], [450, 'p-450']);
  const seen = await fetch(`${gateway.world.networksUrl}/_core-platform/requests?merchantId=${merchant}`);
  const { requests } = (await seen.json()) as { requests: { cursor: string | null; correlationId: string }[] };
  assert.equal(new Set(requests.map(({ correlationId }) => correlationId)), new Set(['cor-9']));
  assert.is(requests.filter(({ cursor }) => cursor === null).length, 1);
});

test.run();
