import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { campaignTag, taggedName } from './campaign-name.ts';
import { listOutsideCampaigns, readNetworkStates } from './reads.ts';
import { setUpNetwork } from './testing/network-world.ts';

test('drift is asked for again, a twin is ended, what is gone is said, and what others made is listed', async () => {
  await using s = await setUpNetwork();
  const drifted = await s.addCampaign('cmp-1');
  await s.addCampaign('cmp-2');
  const gone = await s.addCampaign('cmp-3');
  await s.meta.changeCampaign(s.account, drifted, { dailyBudgetMinor: 9_999 }, s.signal());
  await s.meta.changeCampaign(s.account, gone, { state: 'ended' }, s.signal());
  const create = (name: string) =>
    s.meta.createCampaign(s.account, { state: 'active', name, dailyBudgetMinor: 100 }, 'ab', s.signal());
  const twin = await create(taggedName('Sale cmp-2', campaignTag(s.merchantId, 'cmp-2')));
  const theirs = await create('Made by hand');

  const reconcile = () => s.carryOut({ objectKey: 'reconcile', desired: { kind: 'reconcile' } });
  await reconcile();
  assert.equal(
    (await s.intents()).map(({ objectKey, state, version }) => [objectKey, state, version]),
    [
      ['cmp-1', 'done', 1],
      ['cmp-2', 'done', 1],
      ['cmp-3', 'done', 1],
    ],
    'what the listing may be too old to know is left alone',
  );

  s.time.aheadMs = 3_600_000;
  await reconcile();
  const intents = await s.intents();
  assert.equal(
    intents.map(({ objectKey, state, version }) => [objectKey, state, version]),
    [
      ['cmp-1', 'pending', 2],
      ['cmp-2', 'done', 1],
      ['cmp-3', 'done', 1],
      [`twin/${twin}`, 'pending', 1],
    ],
  );
  const states = await s.db.transaction().execute((trx) => readNetworkStates(trx, s.merchantId, ['cmp-3']));
  assert.equal(
    states.map(({ status, actualState, errorCode }) => [status, actualState, errorCode]),
    [['failed', 'ended', 'ad_networks.ended_outside']],
  );
  const outside = await s.db
    .transaction()
    .execute((trx) => listOutsideCampaigns(trx, s.merchantId, 'meta', { limit: 10 }));
  assert.equal(
    outside.items.map(({ externalId, name }) => [externalId, name]),
    [[theirs, 'Made by hand']],
  );
  const summary = await s.db.selectFrom('reconciliations').selectAll().executeTakeFirstOrThrow();
  assert.equal(
    [summary.campaigns, summary.drifted, summary.twins, summary.ended_outside, summary.outside],
    [3, 1, 1, 1, 1],
  );

  const [, , , ending] = intents;
  assert.ok(ending !== undefined);
  await s.carryOut({ objectKey: ending.objectKey, desired: ending.desired });
  await s.carryOut({ desired: { ...intents[0]?.desired }, externalId: drifted });
  await s.meta.changeCampaign(s.account, theirs, { state: 'ended' }, s.signal());
  await reconcile();
  const again = await s.db.selectFrom('reconciliations').selectAll().executeTakeFirstOrThrow();
  assert.equal([again.drifted, again.twins, again.outside], [0, 0, 0]);
  assert.equal(await s.db.selectFrom('outside_campaigns').selectAll().execute(), []);
  assert.equal(
    (await s.meta.listCampaigns(s.account, s.signal())).map((each) => [each.dailyBudgetMinor]),
    [[5_000], [5_000]],
  );
});

test.run();
