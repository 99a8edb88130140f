import { type Kysely, type RawBuilder, sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Database } from '../../core/database/tables.ts';
import { asRole } from '../../core/testing/as-role.ts';
import { createWorld } from '../../core/testing/world.ts';
import { type LaneQuery, MAILBOXES_CONSIDERED, laneFilters, laneQuery, readLanes } from './read-lanes.ts';

const page = (query: Partial<LaneQuery> = {}): LaneQuery => ({
  filter: undefined,
  prefix: undefined,
  limit: 50,
  after: undefined,
  ...query,
});

/** Ten thousand merchants m00001 to m10000; every thousandth is behind, the sixth thousand has some held ones. */
async function tenThousandLanes() {
  const world = await createWorld();
  await sql`
    insert into mailbox (merchant_id, next_mseq, last_day, touched_at)
    select 'm' || lpad(n::text, 5, '0'), 11, current_date, now() - make_interval(secs => 10001 - n)
    from generate_series(1, 10000) n;
    insert into lanes (merchant_id, cursor, state, state_reason, state_by, due_at, drain_to)
    select 'm' || lpad(n::text, 5, '0'), case when n % 1000 = 0 then 4 else 10 end,
      case when n between 6001 and 6003 then 'blocked' when n between 6004 and 6008 then 'paused' else 'active' end,
      case when n between 6001 and 6008 then 'held' end, case when n between 6001 and 6008 then 'ada' end,
      case when n between 7001 and 7004 then now() + interval '1 minute' end, case when n = 8001 then 10 end
    from generate_series(1, 10000) n;
  `.execute(world.postgres.db);
  await sql`vacuum analyze mailbox, lanes`.execute(world.postgres.db);
  const operator = asRole(world, 'laneway_operator');
  return {
    db: operator.db,
    async [Symbol.asyncDispose]() {
      await operator.close();
      await world[Symbol.asyncDispose]();
    },
  };
}

async function planOf(db: Kysely<Database>, query: RawBuilder<unknown>): Promise<string> {
  const { rows } = await sql<{ 'QUERY PLAN': string }>`explain ${query}`.execute(db);
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

test('of ten thousand lanes every question gets its lanes a page at a time, without a scan of either table', async () => {
  await using world = await tenThousandLanes();
  const { db } = world;
  const ids = async (query: Partial<LaneQuery>) => (await readLanes(db, page(query))).lanes.map((l) => l.merchantId);

  assert.equal(await ids({ filter: 'blocked' }), ['m06001', 'm06002', 'm06003']);
  assert.equal(await ids({ filter: 'paused', limit: 2 }), ['m06004', 'm06005']);
  assert.equal(await ids({ filter: 'paused', after: 'm06005' }), ['m06006', 'm06007', 'm06008']);
  assert.equal(await ids({ filter: 'paused', prefix: 'm0600', after: 'm06007' }), ['m06008']);
  assert.equal(await ids({ filter: 'waiting' }), ['m07001', 'm07002', 'm07003', 'm07004']);
  assert.equal(await ids({ filter: 'draining' }), ['m08001']);
  assert.equal(await ids({ limit: 2 }), ['m00001', 'm00002']);
  assert.equal(await ids({ prefix: 'm0999', limit: 3 }), ['m09990', 'm09991', 'm09992']);
  assert.equal(await ids({ filter: 'behind', prefix: 'm09' }), ['m09000']);

  const [held] = (await readLanes(db, page({ filter: 'blocked' }))).lanes;
  assert.equal([held?.state, held?.reason, held?.by, held?.backlog], ['blocked', 'held', 'ada', 0]);

  for (const filter of [undefined, ...laneFilters])
    for (const prefix of [undefined, 'm0']) {
      const considered = filter === 'behind' ? MAILBOXES_CONSIDERED : 50;
      const plan = await planOf(db, laneQuery(page({ filter, prefix }), considered));
      assert.not.match(plan, /Seq Scan/, `${filter ?? 'all'} ${prefix ?? ''}:\n${plan}`);
    }
});

test('who is behind is found newest first, and paging finds every one of them once', async () => {
  await using world = await tenThousandLanes();
  const found: string[] = [];
  let after: string | undefined;
  let pages = 0;
  do {
    const { lanes, next } = await readLanes(world.db, page({ filter: 'behind', limit: 3, after }));
    found.push(...lanes.map((lane) => lane.merchantId));
    after = next ?? undefined;
    pages += 1;
  } while (after !== undefined && pages < 30);
  assert.equal(found, [
    'm10000',
    'm09000',
    'm08000',
    'm07000',
    'm06000',
    'm05000',
    'm04000',
    'm03000',
    'm02000',
    'm01000',
  ]);
  assert.ok(pages <= 11, `${pages} pages`);
});

test('a prefix is taken as it is written, whatever characters it has', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const merchants = ['a%b', 'a%c', 'a_b', 'ab', 'z\u{d7ff}1', '\u{10ffff}x', 'é1'];
  await db
    .insertInto('mailbox')
    .values(merchants.map((merchant_id) => ({ merchant_id, last_day: '2026-11-23', touched_at: new Date(0) })))
    .execute();
  const ids = async (prefix: string) => (await readLanes(db, page({ prefix }))).lanes.map((l) => l.merchantId);
  assert.equal(await ids('a%'), ['a%b', 'a%c']);
  assert.equal(await ids('z\u{d7ff}'), ['z\u{d7ff}1']);
  assert.equal(await ids('\u{10ffff}'), ['\u{10ffff}x']);
  assert.equal(await ids('é'), ['é1']);
  assert.equal(await ids('nobody'), []);
});

test.run();
