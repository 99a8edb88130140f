import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { forgetMembers } from './forget-members.ts';
import { createWorld } from '../../testing/world.ts';

test('hashes of members who left go once every network has followed, those of members who stay never', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const segment = (merchant: string, name: string, members: string) =>
    sql`
    with s as (insert into audience_segments values (${merchant}, ${name}, 'Buyers', '{meta,tiktok}', 'active', 3, now(), now()))
    insert into audience_members select ${merchant}, ${name}, key, '{}', key like 'stays%', seq, now()
    from unnest(${members.split(' ')}::text[]) with ordinality as t (key, seq)
  `.execute(db);
  const followed = (merchant: string, name: string, network: string, seq: number, status = 'live') =>
    sql`
    insert into audience_network_states (merchant_id, segment_id, ad_network_id, status, synced_seq, updated_at)
    values (${merchant}, ${name}, ${network}, ${status}, ${seq}, now())
  `.execute(db);
  await segment('m1', 'a', 'left1 stays left3');
  await followed('m1', 'a', 'meta', 3);
  await followed('m1', 'a', 'tiktok', 2);
  await segment('m2', 'b', 'left1 stays');
  await segment('m3', 'gone', 'left1 stays');
  await followed('m3', 'gone', 'meta', 3, 'deleted');
  await followed('m3', 'gone', 'tiktok', 3, 'deleted');
  let after: string | undefined = '';
  while (after !== undefined) {
    const turn: { after: string; limit: number } = { after, limit: 2 };
    after = await db.transaction().execute((trx) => forgetMembers(trx, turn));
  }
  const rows = await db.selectFrom('audience_members').select(['segment_id', 'member_key']).execute();
  assert.equal(rows.map((row) => `${row.segment_id} ${row.member_key}`).toSorted(), [
    'a left3',
    'a stays',
    'b left1',
    'b stays',
  ]);
});

test.run();
