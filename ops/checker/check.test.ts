import { type Kysely, sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Database } from '../../core/database/tables.ts';
import type { CheckReport } from './check.ts';
// The stores come from core/testing/world.ts, through the fixture.
import { faultlessRun, sent } from './faultless-run.fixture.ts';

type Run = Awaited<ReturnType<typeof faultlessRun>>;

const run = async (db: Kysely<Database>, text: string): Promise<void> => void (await sql.raw(text).execute(db));

/** What tampers inside a transaction that is rolled back needs no stores of its own. */
let shared: Promise<Run> | undefined;
test.after(async () => (await shared)?.[Symbol.asyncDispose]());

const undo = new Error('undo');

interface Counts {
  lost?: number;
  duplicated?: number;
  reordered?: number;
}

/** Breaks one promise on purpose, by a statement; the checker must say so, and nothing but so. */
function mustFail(name: string, statement: string, expected: Counts, what: RegExp): void {
  test(name, async () => {
    const { db, check } = await (shared ??= faultlessRun());
    let report: CheckReport | undefined;
    await db
      .transaction()
      .execute(async (trx) => {
        await run(trx, statement);
        report = await check(trx);
        throw undo;
      })
      .catch((error: unknown) => {
        if (error !== undo) throw error;
      });
    saysOnly(report, expected, what);
  });
}

/** The same for what lies outside the database. */
function mustFailOutside(name: string, tamper: (run: Run) => Promise<void>, expected: Counts, what: RegExp): void {
  test(name, async () => {
    await using own = await faultlessRun();
    await tamper(own);
    saysOnly(await own.check(), expected, what);
  });
}

function saysOnly(report: CheckReport | undefined, expected: Counts, what: RegExp): void {
  assert.ok(report !== undefined);
  const { lost, duplicated, reordered } = report;
  const said = report.findings.map((finding) => `${finding.kind}: ${finding.what}`).join('\n');
  assert.equal({ lost, duplicated, reordered }, { lost: 0, duplicated: 0, reordered: 0, ...expected }, said);
  assert.match(said, what);
}

const settlementOf = (eventId: string, handler: string): string =>
  `from settlements where event_id = '${eventId}' and handler = '${handler}'`;

test('a faultless run is found faultless, repeats and emitted events included', async () => {
  await using own = await faultlessRun();
  const { findings, lastSettledAtMs, ...figures } = await own.check();
  assert.equal(findings, []);
  assert.is(new Date(lastSettledAtMs).toISOString(), '2026-11-23T10:01:00.000Z');
  assert.equal(figures, {
    events: 9,
    emitted: 1,
    applied: 15,
    skipped: 0,
    poison: 0,
    deadLettered: 0,
    deadLetteredBy: {},
    lost: 0,
    duplicated: 0,
    reordered: 0,
    p50Ms: 54_000,
    p99Ms: 59_000,
  });
});

mustFail(
  'lost: an event that was sent and is settled by none of its handlers',
  `delete from settlements where event_id = 'a2'`,
  { lost: 1 },
  /event a2 of shop-1 at processIngestedPerformanceData has no end/,
);

mustFail(
  'lost: one handler of an event that has two',
  `delete ${settlementOf('p3', 'handleProductDimensionUpdate')}`,
  { lost: 1 },
  /event p3 of shop-1 at handleProductDimensionUpdate has no end/,
);

mustFail(
  'lost: an event that the system itself emitted',
  `delete from settlements where event_id = 'e1'`,
  { lost: 1 },
  /event e1 of shop-1/,
);

mustFail(
  'lost: a dead event without a dead letter',
  `update settlements set outcome = 'dead' where event_id = 'a2'`,
  { lost: 1 },
  /event a2 .* is dead but in no dead-letter queue/,
);

mustFail(
  'lost: an event that was skipped without saying why',
  `update settlements set outcome = 'skip' where event_id = 'a2'`,
  { lost: 1 },
  /skipped without a reason/,
);

mustFail(
  'lost: an outbox row that is never published',
  `update outbox set state = 'pending'`,
  { lost: 1 },
  /outbox row of event e1 of shop-1 is pending/,
);

mustFail(
  'lost: a product that is not there',
  `delete from products where merchant_id = 'shop-2'`,
  { lost: 1 },
  /product sku-1 of shop-2 is missing/,
);

mustFail(
  'lost: a product that missed its last change',
  `update products set price_minor = 100, attributes = attributes || '{"priceMinor":100}' where title = 'Shoe'`,
  { lost: 1 },
  /has priceMinor 100 instead of 200/,
);

mustFail(
  'lost: a product whose columns differ from its attributes',
  `update products set price_minor = 100 where title = 'Shoe'`,
  { lost: 1 },
  /shows priceMinor 100 instead of 200/,
);

mustFail(
  'lost: a product that was deleted and is still there',
  `update products set deleted_at = null where product_id = 'sku-2'`,
  { lost: 1 },
  /was deleted but is still there/,
);

mustFail(
  'lost: an older reading of figures that won over a newer one',
  `update ad_performance set impressions = 800, source_at = '2026-11-23T10:00:08Z' where ad_network_id = 'meta'`,
  { lost: 1 },
  /are not those of 2026-11-23T10:00:09/,
);

mustFail(
  'lost: figures that are not there',
  `delete from ad_performance where ad_network_id = 'tiktok'`,
  { lost: 1 },
  /the figures of .*tiktok.* are missing/,
);

mustFail(
  'lost: a campaign whose record says its last command is still pending',
  `update campaign_network_states set status = 'pending' where ad_network_id = 'meta'`,
  { lost: 1 },
  /campaign c1 of shop-1 on meta should be paused but is pending/,
);

mustFailOutside(
  'lost: a campaign that the network holds otherwise than its record says',
  async (own) => await own.changeAtNetwork({ state: 'active' }),
  { lost: 1 },
  /should be paused but the network has ACTIVE/,
);

mustFailOutside(
  'lost: a campaign with a budget that nobody asked for',
  async (own) => await own.changeAtNetwork({ dailyBudgetMinor: 1 }),
  { lost: 1 },
  /should have a budget of 500 but the network has 1/,
);

mustFail(
  'duplicated: a change that a product took twice',
  `update products set revision = revision + 1 where title = 'Shoe'`,
  { duplicated: 1 },
  /product sku-1 of shop-1 was changed 3 times by 2 changes/,
);

mustFail(
  'lost: a change that left no mark on a product, although a later one did',
  `update products set revision = revision - 1 where title = 'Shoe'`,
  { lost: 1 },
  /product sku-1 of shop-1 took 1 of 2 changes/,
);

mustFail(
  'duplicated: a change that was counted twice',
  `update product_dimensions set changes = changes + 1 where title = 'Shoe'`,
  { duplicated: 1 },
  /counts 3 changes of 2/,
);

mustFail(
  'lost: a change that was not counted',
  `update product_dimensions set changes = changes - 1 where title = 'Shoe'`,
  { lost: 1 },
  /counts 1 changes of 2/,
);

mustFail(
  'duplicated: an event that a handler settled twice',
  `insert into settlements select merchant_id, day, 90, handler, event_id, outcome, reason, attempts, out_of_order,
    900, settled_at, worker, owner ${settlementOf('a1', 'processIngestedPerformanceData')}`,
  { duplicated: 1 },
  /event a1 .* is settled 2 times/,
);

mustFail(
  'duplicated: an effect of an event that nobody sent',
  `insert into settlements select merchant_id, day, 90, handler, 'ghost', outcome, reason, attempts, out_of_order,
    900, settled_at, worker, owner ${settlementOf('a1', 'processIngestedPerformanceData')}`,
  { duplicated: 1 },
  /event ghost .* although nobody sent it/,
);

mustFailOutside(
  'duplicated: a twin of a campaign on a network',
  async (own) => void (await own.createAt('meta')),
  { duplicated: 1 },
  /campaign lw-c1 of account .* on meta was created 2 times/,
);

mustFailOutside(
  'duplicated: a campaign on a network that nobody asked to have it',
  async (own) => void (await own.createAt('google_ads')),
  { duplicated: 1 },
  /on google_ads exists although none of ours is it/,
);

mustFailOutside(
  'duplicated: two dead letters of one event and handler',
  async (own) => {
    await run(own.db, `update settlements set outcome = 'dead' where event_id = 'a2'`);
    const body = sent.find(({ event }) => event.eventId === 'a2')?.body ?? '';
    for (const ordinal of ['1', '2']) await own.deadLetter(body, 'processIngestedPerformanceData', ordinal);
  },
  { duplicated: 1 },
  /has 2 dead letters/,
);

mustFail(
  'reordered: two events of a merchant settled the wrong way round by a handler that holds the merchant',
  `update settlements s set settled_seq = 1000 - settled_seq
    where handler = 'handleProductCoreUpdate' and event_id in ('p2', 'p3')`,
  { reordered: 2 },
  /event p3 of shop-1 was settled by handleProductCoreUpdate before p2/,
);

mustFail(
  'reordered: two commands of a campaign settled the wrong way round by a handler that holds the aggregate',
  `update settlements set settled_seq = 1000 - settled_seq where event_id in ('c1', 'c2')`,
  { reordered: 1 },
  /event c2 of shop-1 was settled by synchronizeCampaignStateWithAdNetworks before c1/,
);

mustFail(
  'reordered: events of a FIFO queue numbered against the order in which they were sent',
  `update accepted set mseq = 7 - mseq where event_id in ('p2', 'p3')`,
  { reordered: 1 },
  /event p3 of shop-1 was numbered before p2/,
);

mustFail(
  'reordered: a gap in the numbers of a merchant',
  `update accepted set mseq = mseq + 10 where event_id in ('e1', 'a1')`,
  { reordered: 1 },
  /the events of shop-1 are not numbered 1, 2, 3/,
);

test('an event that ended in a dead-letter queue is counted there and leaves no other trace', async () => {
  await using own = await faultlessRun();
  await run(own.db, `update settlements set outcome = 'dead' where event_id = 'a1'`);
  await run(
    own.db,
    `update ad_performance set impressions = 800, source_at = '2026-11-23T10:00:08Z'
    where ad_network_id = 'meta'`,
  );
  await own.deadLetter(
    sent.find(({ event }) => event.eventId === 'a1')?.body ?? '',
    'processIngestedPerformanceData',
    '1',
  );
  const { findings, deadLettered, deadLetteredBy, applied } = await own.check();
  assert.equal(findings, []);
  assert.equal(
    { deadLettered, deadLetteredBy, applied },
    { deadLettered: 1, deadLetteredBy: { 'processIngestedPerformanceData: handler.failed': 1 }, applied: 14 },
  );
});

test('settling in any order is no fault of a handler that holds only its event', async () => {
  await using own = await faultlessRun();
  await run(own.db, `update settlements set settled_seq = 2000 - settled_seq where event_id in ('a1', 'a2', 'e1')`);
  assert.equal((await own.check()).findings, []);
});

test.run();
