// test-stack
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { campaignTag, taggedName } from './campaign-name.ts';
import { listOutsideAdObjects } from './ad-object-reads.ts';
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

test('ad sets and ads are compared too: drift, what is gone with what is under it, twins, and what others made', async () => {
  await using s = await setUpNetwork();
  const campaign = await s.addCampaign('cmp-1');
  const objects = [
    { objectId: 'set-1' },
    { objectId: 'set-2' },
    { objectId: 'ad-1', adSetId: 'set-1' },
    { objectId: 'ad-2', adSetId: 'set-1' },
    { objectId: 'ad-3', adSetId: 'set-2' },
  ];
  await s.addAdObjects('cmp-1', objects);
  const made = ['ad_set:set-1 new', 'ad_set:set-2 new', 'ad:ad-1 new', 'ad:ad-2 new', 'ad:ad-3 new'];
  assert.equal(await s.carryOutOpen(), made);
  const idOf = async (objectId: string) =>
    (await s.db.selectFrom('ad_object_network_states').selectAll().where('object_id', '=', objectId).execute())[0]
      ?.external_id ?? '';
  const { adObjects } = s.meta;
  const create = (kind: 'ad_set' | 'ad', parentId: string, name: string) => {
    const settings = { targeting: {}, billing_event: 'IMPRESSIONS', optimization_goal: 'REACH', creative: {} };
    return adObjects.create(s.account, kind, { parentId, name, tag: '', state: 'active', settings }, 'ab', s.signal());
  };
  const [set1, set2] = [await idOf('set-1'), await idOf('set-2')];
  await adObjects.changeState(s.account, 'ad', await idOf('ad-1'), 'paused', s.signal());
  const renaming = { parentId: campaign, name: 'Renamed', settings: {}, changed: {} };
  await adObjects.change(s.account, 'ad_set', set1, renaming, s.signal());
  await adObjects.changeState(s.account, 'ad_set', set2, 'ended', s.signal());
  const twin = await create('ad', set1, taggedName('Name of ad-2', campaignTag(s.merchantId, 'ad:ad-2')));
  const theirSet = await create('ad_set', campaign, 'Made by hand');
  const theirAd = await create('ad', theirSet, 'Also');
  // Another merchant shares the account.
  const name = taggedName('Sale', campaignTag('another-shop', 'cmp-1'));
  const fields = { state: 'active', name, dailyBudgetMinor: 100 } as const;
  const others = await s.meta.createCampaign(s.account, fields, 'cd', s.signal());
  await create('ad', await create('ad_set', others, 'Of another shop'), 'Of another shop');
  const reconcile = () => s.carryOut({ objectKey: 'reconcile', desired: { kind: 'reconcile' } });

  await reconcile();
  assert.equal(await s.carryOutOpen(), [], 'what the listing may be too old to know is left alone');
  s.time.aheadMs = 3_600_000;
  await reconcile();
  const summary = await s.db.selectFrom('reconciliations').selectAll().executeTakeFirstOrThrow();
  const { ad_objects: compared, ad_objects_drifted: drifted, ad_objects_missing: missing } = summary;
  assert.equal([compared, drifted, missing, summary.ad_objects_twins, summary.ad_objects_outside], [5, 2, 2, 1, 2]);
  const outside = await s.db
    .transaction()
    .execute((trx) => listOutsideAdObjects(trx, s.merchantId, 'meta', { limit: 10 }));
  assert.equal(
    outside.items.map(({ kind, externalId, parentExternalId, name, state }) => [
      ...[kind, externalId, parentExternalId, name, state],
    ]),
    [
      ['ad', theirAd, theirSet, 'Also', 'active'],
      ['ad_set', theirSet, campaign, 'Made by hand', 'active'],
    ],
  );
  assert.equal(await s.carryOutOpen(), [
    ...['ad:ad-1 held', 'ad_set:set-1 held', 'ad_set:set-2 new', `twin/ad/${twin} new`, 'ad:ad-3 new'],
  ]);
  const listed = async (kind: 'ad_set' | 'ad') =>
    (await adObjects.list(s.account, kind, { campaignIds: [campaign], settingNames: [] }, s.signal()))
      .map(({ externalId, parentId, name, state }) => [externalId, parentId, name?.split(' (')[0], state].join(' '))
      .toSorted();
  const [newSet, newAd] = [await idOf('set-2'), await idOf('ad-3')];
  assert.not.equal(newSet, set2);
  assert.equal(
    await listed('ad_set'),
    [
      `${set1} ${campaign} Name of set-1 active`,
      `${newSet} ${campaign} Name of set-2 active`,
      `${theirSet} ${campaign} Made by hand active`,
    ].toSorted(),
  );
  assert.equal(
    await listed('ad'),
    [
      `${await idOf('ad-1')} ${set1} Name of ad-1 active`,
      `${await idOf('ad-2')} ${set1} Name of ad-2 active`,
      `${newAd} ${newSet} Name of ad-3 active`,
      `${theirAd} ${theirSet} Also active`,
    ].toSorted(),
  );

  await adObjects.changeState(s.account, 'ad_set', theirSet, 'ended', s.signal());
  s.time.aheadMs = 2 * 3_600_000;
  await reconcile();
  assert.equal(await s.carryOutOpen(), []);
  assert.equal(await s.db.selectFrom('outside_ad_objects').selectAll().execute(), []);
});

test('what a network was never told of is told, and nothing is said about ads of a campaign that does not rest', async () => {
  await using s = await setUpNetwork();
  await s.addCampaign('cmp-1');
  await s.addAdObjects('cmp-1', [{ objectId: 'set-1' }, { objectId: 'ad-1', adSetId: 'set-1' }]);
  await s.carryOutOpen();
  const reconcile = () => s.carryOut({ objectKey: 'reconcile', desired: { kind: 'reconcile' } });
  s.time.aheadMs = 3_600_000;
  const [ad] = await s.meta.adObjects.list(
    s.account,
    'ad',
    { campaignIds: [await externalIdOf()], settingNames: [] },
    s.signal(),
  );
  await s.meta.adObjects.changeState(s.account, 'ad', ad?.externalId ?? '', 'paused', s.signal());
  await s.db.updateTable('campaign_network_states').set({ status: 'pending' }).execute();
  await reconcile();
  assert.equal(await s.carryOutOpen(), []);
  assert.equal(await s.db.selectFrom('outside_ad_objects').selectAll().execute(), []);
  await s.db.updateTable('campaign_network_states').set({ status: 'live' }).execute();
  await s.db.updateTable('ad_objects').set({ version: 2, state: 'paused' }).where('object_id', '=', 'set-1').execute();
  await reconcile();
  assert.equal(await s.carryOutOpen(), ['ad:ad-1 held', 'ad_set:set-1 held']);

  async function externalIdOf(): Promise<string> {
    const row = await s.db.selectFrom('campaign_network_states').selectAll().executeTakeFirstOrThrow();
    return row.external_id ?? '';
  }
});

test.run();
