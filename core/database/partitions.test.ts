import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createWorld } from '../testing/world.ts';
import { ensurePartitions } from './migrate.ts';

const clicksIn = async (world: Awaited<ReturnType<typeof createWorld>>) => {
  const { rows } = await sql<{ part: string; click: string }>`
    select tableoid::regclass::text as part, click_id as click from affiliate_clicks order by click_id
  `.execute(world.postgres.db);
  return rows;
};

test('months are made ahead, and rows that were dated further ahead stay where they are and stop nothing', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const click = (id: string, at: string) =>
    db
      .insertInto('affiliate_clicks')
      .values({
        merchant_id: 'm',
        click_id: id,
        code: 'c',
        affiliate_id: 'a',
        clicked_at: new Date(at),
        visitor_hash: 'v',
      })
      .execute();
  await click('early', '2031-05-10T00:00:00Z');
  await ensurePartitions(db, Date.parse('2031-04-20T00:00:00Z'));
  await click('in-april', '2031-04-25T00:00:00Z');
  await click('in-may', '2031-05-11T00:00:00Z');
  await click('in-june', '2031-06-11T00:00:00Z');
  assert.equal(await clicksIn(world), [
    { part: 'affiliate_clicks_other', click: 'early' },
    { part: 'affiliate_clicks_203104', click: 'in-april' },
    { part: 'affiliate_clicks_203106', click: 'in-june' },
    { part: 'affiliate_clicks_other', click: 'in-may' },
  ]);
});

test('only tables that are partitioned by a time are given months', async () => {
  await using world = await createWorld();
  for (const table of ['mailboxes', 'inbox', 'no_such_table']) {
    let refusal = '';
    await sql`select ensure_month_partitions(${table}, '2031-04-01'::date, 1)`
      .execute(world.postgres.db)
      .catch((error: unknown) => (refusal = error instanceof Error ? error.message : ''));
    assert.match(refusal, 'is not partitioned by month', table);
  }
});

test.run();
