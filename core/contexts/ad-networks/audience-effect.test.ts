import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { synchronizeAudienceSegmentWithAdNetworks } from './synchronize-audience-segment-with-ad-networks.ts';
import { setUpNetwork } from './testing/network-world.ts';
import type { EffectResult } from '../../events/destination.ts';
import type { Intent } from '../../events/handler.ts';
import { runTwice } from '../../testing/duplicate.ts';
import { lanewayEvent, runHandler } from '../../testing/run-handler.ts';
import { createWorld } from '../../testing/world.ts';

type Setup = Awaited<ReturnType<typeof setUpNetwork>>;

const command = (n: number, merchantId = 'shop-1') =>
  lanewayEvent(
    n,
    { segmentId: 'seg-1', adNetworkIds: ['meta'], operation: 'sync', timestamp: '2026-11-23T10:00:00.000Z' },
    { merchantId },
  );

async function addSegment(s: Setup, people: readonly [name: string, wanted: boolean][]): Promise<void> {
  const rows = people.map(([name, wanted], index) => ({ name, wanted, seq: index + 1 }));
  await sql`
    insert into audience_segments (merchant_id, segment_id, name, ad_network_ids, state, last_seq, created_at, updated_at)
    values (${s.merchantId}, 'seg-1', 'Buyers', '{meta}', 'active', ${rows.length}, now(), now())
    on conflict (merchant_id, segment_id) do update set last_seq = excluded.last_seq
  `.execute(s.db);
  for (const { name, wanted, seq } of rows) {
    const identifiers = JSON.stringify({ meta: { email: name.repeat(64) }, google_ads: {}, tiktok: {} });
    await sql`insert into audience_members values (${s.merchantId}, 'seg-1', ${name}, ${identifiers}::jsonb, ${wanted},
      ${seq}, now()) on conflict (merchant_id, segment_id, member_key) do update set wanted = excluded.wanted, seq = excluded.seq
    `.execute(s.db);
  }
}

/** Carries an intent out until it asks for nothing more, as the lane's actor does; gives the network's id. */
async function follow(s: Setup, intent: Intent, known?: string): Promise<{ id: string | undefined; calls: number }> {
  let externalId = known;
  for (let calls = 1; ; calls++) {
    const call = s.callOf({ objectKey: intent.objectKey, desired: intent.desired, externalId });
    const result: EffectResult = await s.driver.send(call, s.signal());
    externalId = result.externalId;
    let again = false;
    const context = { now: s.clock.now(), emit: () => undefined, intend: () => void (again = true) };
    await s.db.transaction().execute((trx) => s.driver.recordSuccess(trx, call, result, undefined, context));
    if (!again) return { id: externalId, calls };
    assert.ok(calls < 10, 'it asks for more without end');
  }
}

async function ask(s: Setup, n: number): Promise<Intent> {
  const { intents } = await runHandler(s.db, synchronizeAudienceSegmentWithAdNetworks, [command(n, s.merchantId)]);
  const [intent] = intents;
  assert.ok(intent !== undefined);
  return intent;
}

async function uploads(s: Setup): Promise<unknown[]> {
  const log: unknown = await (await fetch(`${s.world.networksUrl}/_log`)).json();
  const { calls } = log as { calls: { account: string; kind: string; body: Record<string, string[]> }[] };
  return calls
    .filter((call) => call.account === s.account.accountId && call.kind === 'audience_members')
    .map(({ body: { add = [], remove = [] } }) => [add.map((h) => h[0]).join(''), remove.map((h) => h[0]).join('')]);
}

const state = async ({ db }: Setup) => {
  const row = await db.selectFrom('audience_network_states').selectAll().executeTakeFirstOrThrow();
  return [row.status, row.synced_seq];
};

test('a network gets each change of a member once, without those who gave no consent, and forgets who left', async () => {
  await using s = await setUpNetwork();
  await addSegment(s, [
    ['a', true],
    ['b', false],
    ['c', true],
  ]);
  const { id } = await follow(s, await ask(s, 1));
  assert.equal(await state(s), ['live', 3]);
  assert.equal(await uploads(s), [
    ['ac', ''],
    ['', 'b'],
  ]);
  await sql`update audience_members set wanted = false, seq = 4 where member_key = 'a'`.execute(s.db);
  await sql`update audience_segments set last_seq = 4`.execute(s.db);
  await follow(s, await ask(s, 2), id);
  assert.equal((await uploads(s)).slice(2), [['', 'a']]);
  // Nothing new: nothing is told again.
  await follow(s, await ask(s, 3), id);
  assert.equal([await state(s), (await uploads(s)).length], [['live', 4], 3]);
  await sql`update audience_segments set state = 'deleted'`.execute(s.db);
  await follow(s, await ask(s, 4), id);
  assert.equal(await state(s), ['deleted', 4]);
  assert.is(await s.meta.audiences.find(s.account, 'lw-', s.signal()), undefined);
});

test('an audience whose creation got no answer is found by its name, not made twice', async () => {
  await using s = await setUpNetwork();
  await addSegment(s, [['a', true]]);
  const intent = await ask(s, 1);
  const faults = [{ network: 'meta', account: s.account.accountId, kind: 'commit_then_drop', times: 1 }];
  await fetch(`${s.world.networksUrl}/_control/faults`, { method: 'POST', body: JSON.stringify(faults) });
  const call = s.callOf({ objectKey: intent.objectKey, desired: intent.desired });
  await s.driver.send(call, s.signal()).catch(() => undefined);
  const found = await s.driver.probe(call, s.signal());
  assert.ok(found !== undefined && !s.driver.satisfies(call, found));
  const { id, calls } = await follow(s, intent, found.externalId);
  assert.equal([id, calls], [found.externalId, 1]);
});

test('handling a command again asks for the same, and a command for an audience that is none is skipped', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const none = await runHandler(db, synchronizeAudienceSegmentWithAdNetworks, [command(1)]);
  assert.is(none.outcomes[0]?.kind, 'skip');
  await sql`insert into audience_segments values ('shop-1', 'seg-1', 'Buyers', '{meta}', 'active', 7, now(), now())`.execute(
    db,
  );
  const events = [command(1), command(2)];
  const tables: [string] = ['audience_network_states'];
  const { once, twice, first, second } = await runTwice(
    world,
    synchronizeAudienceSegmentWithAdNetworks,
    events,
    tables,
  );
  assert.is(twice, once);
  assert.equal(second.intents.at(-1), first.intents.at(-1));
});

test.run();
