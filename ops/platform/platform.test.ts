import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { parseArguments } from './parse-arguments.ts';
import { runPlatformCommand } from './run-command.ts';
import { dayOf, systemClock } from '../../core/runtime/clock.ts';
import { hashApiKey } from '../../core/contexts/access/reads.ts';
import { createMerchant } from '../../core/contexts/access/writes.ts';
import { choosePlan } from '../../core/contexts/billing/writes.ts';
import { tellDeadLetters } from '../../core/contexts/platform/tell-dead-letters.ts';
import { platformJobs } from '../../core/contexts/platform/schedules.ts';
import { createEndpoint } from '../../core/contexts/webhooks/writes.ts';
import { LanewayError } from '../../core/runtime/errors.ts';
import { asRole } from '../../core/testing/as-role.ts';
import { testKeyring } from '../../core/testing/keyring.ts';
import { createWorld } from '../../core/testing/world.ts';
import { parseArguments as parseRetention } from '../retention/parse-arguments.ts';
import { runRetentionCommand } from '../retention/run-command.ts';

const NOW = Date.parse('2026-11-23T12:00:00.000Z');
const clock = { now: () => NOW, sleep: () => Promise.resolve() };

/** A system, and a connection as operators have it. */
async function setUp() {
  const world = await createWorld();
  const operator = asRole(world, 'laneway_operator');
  return {
    db: world.postgres.db,
    deps: { db: operator.db, clock },
    async [Symbol.asyncDispose]() {
      await operator.close();
      await world[Symbol.asyncDispose]();
    },
  };
}

const window = ['--from', '2026-11-23T22:00Z', '--to', '2026-11-23T23:30:00+00:00', '--reason', 'A new database'];

async function run(deps: Parameters<typeof runPlatformCommand>[0], ...args: string[]) {
  const parsed = parseArguments(args, 'ada');
  if (parsed.kind !== 'run') throw new Error(`${args.join(' ')}: ${JSON.stringify(parsed)}`);
  return (await runPlatformCommand(deps, parsed.command)).value;
}

test('every merchant is told once of maintenance that is planned, nobody of what was called off, and each of what was given up', async () => {
  await using t = await setUp();
  for (const merchantId of ['shop-1', 'shop-2', 'shop-3']) await createMerchant(t.db, { merchantId, name: 'x' }, NOW);
  await run(t.deps, 'maintenance', 'plan', 'disk', ...window);
  await run(t.deps, 'maintenance', 'plan', 'off', ...window);
  await run(t.deps, 'maintenance', 'end', 'off');
  const listed = z.object({ windows: z.array(z.looseObject({ windowId: z.string() })) });
  assert.equal(
    listed.parse(await run(t.deps, 'maintenance')).windows.map(({ windowId }) => windowId),
    ['disk'],
  );
  const [job] = platformJobs;
  const due = async (startMs: number, after: string) =>
    await t.db.transaction().execute(async (trx) => {
      if (job === undefined) throw new Error('the platform has a job');
      return await job.due(trx, { period: { startMs, endMs: startMs + 300_000 }, nowMs: startMs, after, limit: 2 });
    });
  assert.equal((await due(NOW, '')).events, [], 'planned in this period, and its pages must be alike');
  const first = await due(NOW + 300_000, '');
  const second = await due(NOW + 300_000, first.next ?? '');
  assert.equal(
    [...first.events, ...second.events].map(({ merchantId, payload }) => [merchantId, payload['idempotencyKey']]),
    [
      ['shop-1', 'maintenance:disk'],
      ['shop-2', 'maintenance:disk'],
      ['shop-3', 'maintenance:disk'],
    ],
  );
  assert.equal(first.events[0]?.payload['payloadForTemplate'], {
    startsAt: '2026-11-23 22:00 UTC',
    endsAt: '2026-11-23 23:30 UTC',
    reason: 'A new database',
  });
  assert.equal((await due(NOW + 600_000, '')).events, []);

  // Partitions are there for days around the real one.
  const dead = {
    day: dayOf(systemClock.now()),
    reason: null,
    attempts: 4,
    worker: 'w',
    owner: 'o',
    event_id: 'e',
  } as const;
  const settle = (
    merchantId: string,
    mseq: number,
    handler: string,
    ageMs: number,
    outcome: 'dead' | 'done' = 'dead',
  ) =>
    t.db
      .insertInto('settlements')
      .values({ ...dead, merchant_id: merchantId, mseq, handler, outcome, settled_at: new Date(NOW - ageMs) })
      .execute();
  await settle('shop-2', 1, 'attributeOrderData', 400_000);
  await settle('shop-2', 2, 'attributeOrderData', 3_800_000);
  await settle('shop-2', 3, 'handleProductCoreUpdate', 3_800_000);
  await settle('shop-2', 4, 'attributeOrderData', 400_000, 'done');
  await settle('shop-2', 5, 'attributeOrderData', 200_000);
  await settle('shop-3', 1, 'dispatchNotification', 400_000);
  await settle('network-meta', 1, 'attributeOrderData', 400_000);
  await settle('shop-1', 1, 'attributeOrderData', 3_900_001);
  const tell = async (startMs: number) => {
    const turn = { period: { startMs, endMs: startMs + 3_600_000 }, after: '', limit: 10 };
    const { events } = await t.db.transaction().execute((trx) => tellDeadLetters(trx, turn));
    return events.map(({ merchantId, payload }) => [
      merchantId,
      payload['webhookType'] ?? Object(payload['payloadForTemplate']).what,
    ]);
  };
  assert.equal(await tell(NOW), [
    ['shop-2', 'attributeOrderData (2), handleProductCoreUpdate (1)'],
    ['shop-2', 'events.given_up'],
  ]);
  assert.equal(
    (await tell(NOW + 3_600_000))[0],
    ['shop-2', 'attributeOrderData (1)'],
    'what was under way is told of in the next hour, and nothing twice',
  );
  const actions = await t.db.selectFrom('operator_actions').select(['action', 'requested_by']).orderBy('id').execute();
  assert.equal(
    actions.map(({ action, requested_by }) => `${action} ${requested_by}`),
    ['maintenance.plan ada', 'maintenance.plan ada', 'maintenance.end ada'],
  );
});

test('an operator opens an account with its first key, and can make no second one', async () => {
  await using t = await setUp();
  const opened = z.object({ merchantId: z.string(), keyId: z.string(), key: z.string() });
  const { key, keyId } = opened.parse(await run(t.deps, 'merchant', 'open', 'shop-9', '--name', 'Nine'));
  const found = await sql<{ merchant: string; scopes: string[] | null }>`
    select merchant_id as merchant, scopes from authenticate_key(${hashApiKey(key)})`.execute(t.db);
  assert.equal(found.rows, [{ merchant: 'shop-9', scopes: null }]);
  const again = await run(t.deps, 'merchant', 'open', 'shop-9', '--name', 'Nine').catch((error: unknown) => error);
  assert.match(String(again), /has keys/);
  await sql`update api_keys set revoked_at = now()`.execute(t.db);
  const revoked = await run(t.deps, 'merchant', 'open', 'shop-9', '--name', 'x').catch((error: unknown) => error);
  assert.match(String(revoked), /has keys/, 'a key that was revoked does not hand the account to an operator');
  const logged = await t.db.selectFrom('audit_log').select(['merchant_id', 'actor', 'subject']).execute();
  assert.equal(logged, [{ merchant_id: 'shop-9', actor: 'operator:ada', subject: keyId }]);
  const actions = await t.db.selectFrom('operator_actions').select(['action', 'merchant_id']).execute();
  assert.equal(actions, [{ action: 'merchant.open', merchant_id: 'shop-9' }]);
  const forbidden = await t.deps.db
    .insertInto('api_keys')
    .values({
      key_hash: hashApiKey('x'),
      merchant_id: 'shop-9',
      label: 'x',
      created_at: new Date(NOW),
      expires_at: null,
    })
    .execute()
    .catch((error: unknown) => error);
  assert.match(String(forbidden), /permission denied/);
  assert.is(parseArguments(['merchant', 'open', 'shop-9'], 'ada').kind, 'invalid');
  assert.is(parseArguments(['merchant', 'open', '', '--name', 'x'], 'ada').kind, 'invalid');
  assert.is(parseArguments(['merchant', 'close', 'shop-9', '--name', 'x'], 'ada').kind, 'invalid');
});

test('the quota of a merchant that nobody knows is neither set nor shown', async () => {
  await using t = await setUp();
  for (const words of [[], ['webhook_endpoints', '5', '--reason', 'x']]) {
    const thrown = await run(t.deps, 'quota', 'nope', ...words).catch((error: unknown) => error);
    assert.ok(thrown instanceof LanewayError && thrown.code === 'resource.not_found', String(thrown));
    assert.is(thrown.message, 'nothing is known of a merchant "nope"');
  }
  assert.equal(await t.db.selectFrom('merchant_quotas').selectAll().execute(), []);
  assert.equal(await t.db.selectFrom('operator_actions').selectAll().execute(), []);
  const mailbox = { last_day: dayOf(NOW), touched_at: new Date(NOW), next_mseq: 2 };
  await t.db
    .insertInto('mailbox')
    .values({ merchant_id: 'shop-1', ...mailbox })
    .execute();
  await t.db
    .transaction()
    .execute((trx) => choosePlan(trx, 'shop-2', { planId: 'growth', fromDay: '2026-11-23' }, NOW));
  for (const known of ['shop-1', 'shop-2']) await run(t.deps, 'quota', known);
});

test('a window that is over, too long or known already is refused, and times without a zone are not guessed', async () => {
  await using t = await setUp();
  const refused = async (...args: string[]) => String(await run(t.deps, ...args).catch((error: unknown) => error));
  const plan = ['maintenance', 'plan', 'w', '--reason', 'x'];
  assert.match(await refused(...plan, '--from', '2026-11-22T22:00Z', '--to', '2026-11-22T23:00Z'), /passed already/);
  assert.match(await refused(...plan, '--from', '2026-11-23T22:00Z', '--to', '2026-11-25T23:00Z'), /at most 24 hours/);
  await run(t.deps, 'maintenance', 'plan', 'w', ...window);
  assert.match(await refused('maintenance', 'plan', 'w', ...window), /give this one another id/);
  assert.match(await refused('maintenance', 'end', 'none'), /no window none/);
  const invalid = (...args: string[]) => parseArguments(args, 'ada').kind;
  assert.is(invalid(...plan, '--from', '2026-11-23T22:00', '--to', '2026-11-23T23:00Z'), 'invalid');
  assert.is(invalid('maintenance', 'plan', 'w', '--from', '2026-11-23T22:00Z', '--to', '2026-11-23T23:00Z'), 'invalid');
  assert.is(invalid('maintenance', 'begin', 'w'), 'invalid');
});

test('operators see what a night would purge and what holds keep, without a right to read any of it', async () => {
  await using t = await setUp();
  await sql`
    insert into attributed_orders (merchant_id, order_id, order_day, counts, revenue_minor, currency, source_at,
      source_event_id, updated_at)
    values ('shop-1', 'o-1', '2024-01-31', true, 1, 'EUR', now(), 'e', now())
  `.execute(t.db);
  const said = async (...args: string[]) => {
    const parsed = parseRetention(args, 'ada');
    if (parsed.kind !== 'run') throw new Error(JSON.stringify(parsed));
    return (await runRetentionCommand(t.deps, parsed.command)).value;
  };
  await said('hold', 'attributed_orders', 'case-9', '--reason', 'lawsuit');
  const { classes } = z
    .object({ classes: z.array(z.looseObject({ dataClass: z.string() })) })
    .parse(await said('plan'));
  assert.is(classes.length, 9);
  assert.equal(
    classes.find(({ dataClass }) => dataClass === 'attributed_orders'),
    {
      dataClass: 'attributed_orders',
      keepMonths: 25,
      youngestToGo: '2024-09',
      heldBy: ['case-9'],
      months: [{ month: '2024-01', rows: 1 }],
    },
  );
  await said('release', 'case-9');
  assert.equal(await said('holds'), { holds: [] });
  assert.is(parseRetention(['hold', 'attributed_orders', 'x'], 'ada').kind, 'invalid');
  assert.is(parseRetention(['hold', 'invoices', 'x', '--reason', 'y'], 'ada').kind, 'invalid');
  const read = await sql`select from attributed_orders`.execute(t.deps.db).catch((error: unknown) => error);
  assert.match(String(read), /permission denied/);
});

test('a merchant may have what its plan includes until an operator sets it apart, and no more', async () => {
  await using t = await setUp();
  await run(t.deps, 'merchant', 'open', 'shop-1', '--name', 'One');
  assert.equal(await run(t.deps, 'quota', 'shop-1'), {
    merchantId: 'shop-1',
    quotas: { campaigns: 1_000, audience_segments: 100, webhook_endpoints: 20 },
  });
  await t.db
    .transaction()
    .execute((trx) => choosePlan(trx, 'shop-1', { planId: 'growth', fromDay: '2026-11-23' }, NOW));
  await run(t.deps, 'quota', 'shop-1', 'webhook_endpoints', '1', '--reason', 'a trial');
  const add = () =>
    t.db.transaction().execute((trx) => {
      const endpoint = { url: 'https://hooks.example/', description: '', types: ['*'], ordering: 'parallel' } as const;
      return createEndpoint(trx, testKeyring, 'shop-1', endpoint, NOW);
    });
  await add();
  assert.match(String(await add().catch((error: unknown) => error)), /can have 1 webhook endpoints/);
  assert.equal(await run(t.deps, 'quota', 'shop-1', 'webhook_endpoints', 'plan'), {
    merchantId: 'shop-1',
    quotas: { campaigns: 5_000, audience_segments: 500, webhook_endpoints: 50 },
  });
  await add();
  const actions = await t.db
    .selectFrom('operator_actions')
    .select(['action', 'before', 'after'])
    .where('action', '=', 'quota.set')
    .orderBy('id')
    .execute();
  assert.equal(
    actions.map(({ before, after }) => [before, after]),
    [
      [
        { most: null, resource: 'webhook_endpoints' },
        { most: 1, resource: 'webhook_endpoints' },
      ],
      [
        { most: 1, resource: 'webhook_endpoints' },
        { most: null, resource: 'webhook_endpoints' },
      ],
    ],
  );
  for (const wrong of [['quota'], ['quota', 'shop-1', 'shoes', '1'], ['quota', 'shop-1', 'campaigns', '-1']])
    assert.is(parseArguments(wrong, 'ada').kind, 'invalid');
});

test('what cannot be meant says what would be right, and no option is ignored', () => {
  const complaint = (parse: typeof parseArguments | typeof parseRetention, line: string) => {
    const parsed = parse(line.split(' '), 'ada');
    return parsed.kind === 'invalid' ? parsed.message : parsed.kind;
  };
  for (const [line, message] of [
    ['maintenance --from garbage', 'maintenance takes no --from: it has no options of its own'],
    ['maintenance end w --to garbage', 'maintenance end takes no --to: it takes --reason, --by'],
    ['maintenance begin w', 'maintenance takes plan or end and an id, not "begin"'],
    ['quota shop-1 --by eve', 'quota takes no --by: it has no options of its own'],
    ['quota shop-1 campaigns 5 --name x', 'quota MERCHANT RESOURCE takes no --name: it takes --reason, --by'],
    ['quota shop-1 shoes 1', 'there is no resource "shoes": campaigns, audience_segments, webhook_endpoints'],
    ['merchant', 'merchant takes open and an id'],
    ['merchant close shop-9', 'merchant takes open and an id, not "close"'],
    ['merchant open shop-9 --name x --to garbage', 'merchant open takes no --to: it takes --name, --reason, --by'],
  ] as const)
    assert.is(complaint(parseArguments, line), message);
  assert.is(complaint(parseRetention, 'plan --reason x'), 'plan takes no --reason: it has no options of its own');
  assert.match(complaint(parseRetention, 'hold shoes x --reason y'), /^there is no class "shoes": .*attributed_orders/);
});

test.run();
