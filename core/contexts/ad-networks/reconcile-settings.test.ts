// test-stack
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { setUpNetwork } from './testing/network-world.ts';
import { adNetworkIds } from '../campaigns/events.ts';

type Settings = Record<string, unknown>;

/** By network: what an ad set and an ad are made with, and what somebody sets otherwise there. */
const cases: Record<(typeof adNetworkIds)[number], Record<'ad_set' | 'ad', { ours: Settings; theirs: Settings }>> = {
  google_ads: {
    ad_set: { ours: { cpcBidMicros: '250000', unheardOf: 1 }, theirs: { cpcBidMicros: '900000' } },
    ad: {
      ours: {
        finalUrls: ['https://shop.example/1'],
        responsiveSearchAd: { headlines: [{ text: 'A' }, { text: 'B' }], descriptions: [{ text: 'C' }] },
      },
      theirs: { responsiveSearchAd: { headlines: [{ text: 'X' }], descriptions: [{ text: 'C' }] } },
    },
  },
  meta: {
    ad_set: {
      ours: {
        ...{ targeting: { geo_locations: { countries: ['DE', 'AT'] } }, daily_budget: 2_000 },
        ...{ billing_event: 'IMPRESSIONS', optimization_goal: 'REACH', unheard_of: 1 },
      },
      theirs: { targeting: { geo_locations: { countries: ['DE'] } } },
    },
    ad: { ours: { creative: { creative_id: '7' } }, theirs: { creative: { creative_id: '8' } } },
  },
  tiktok: {
    ad_set: {
      ours: { location_ids: ['1', '2'], budget: 20.5, bid_type: 'BID_TYPE_CUSTOM', bid_price: 0.5 },
      theirs: { budget: 90, bid_price: 0.9 },
    },
    ad: { ours: { ad_text: 'Made to last', video_id: 'v1' }, theirs: { ad_text: 'Cheap' } },
  },
};

for (const networkId of adNetworkIds)
  test(`${networkId}: settings that somebody changed there are put right, those and no others, and nothing is told twice`, async () => {
    await using s = await setUpNetwork(networkId);
    const campaign = await s.addCampaign('cmp-1');
    const { ad_set: ofSet, ad: ofAd } = cases[networkId];
    await s.addAdObjects('cmp-1', [
      { objectId: 'set-1', settings: ofSet.ours },
      { objectId: 'ad-1', adSetId: 'set-1', settings: ofAd.ours },
    ]);
    await s.carryOutOpen();
    const list = async (kind: 'ad_set' | 'ad') => {
      const settingNames = [...Object.keys(ofSet.ours), ...Object.keys(ofAd.ours)];
      return await s.meta.adObjects.list(s.account, kind, { campaignIds: [campaign], settingNames }, s.signal());
    };
    const before = [await list('ad_set'), await list('ad')];
    const reconcile = async (hours: number) => {
      s.time.aheadMs = hours * 3_600_000;
      await s.carryOut({ objectKey: 'reconcile', desired: { kind: 'reconcile' } });
      const summary = await s.db.selectFrom('reconciliations').selectAll().executeTakeFirstOrThrow();
      return summary.ad_objects_drifted;
    };
    assert.is(await reconcile(1), 0);
    assert.equal(await s.carryOutOpen(), []);

    for (const [kind, { ours, theirs }] of Object.entries(cases[networkId])) {
      const of = kind === 'ad' ? 'ad' : 'ad_set';
      const [there] = await list(of);
      assert.ok(there !== undefined);
      // TikTok takes an ad only as a whole.
      const changes = {
        parentId: there.parentId,
        name: there.name ?? '',
        settings: { ...ours, ...theirs },
        changed: theirs,
      };
      await s.meta.adObjects.change(s.account, of, there.externalId, changes, s.signal());
    }
    assert.not.equal([await list('ad_set'), await list('ad')], before);
    assert.is(await reconcile(2), 2);
    const told = (await s.intents()).map(({ objectKey, desired }) => [
      objectKey,
      Object.keys(Object(desired['changed'])),
    ]);
    assert.equal(Object.fromEntries(told.filter(([key]) => key !== 'cmp-1')), {
      'ad_set:set-1': Object.keys(ofSet.theirs),
      'ad:ad-1': Object.keys(ofAd.theirs),
    });
    assert.equal(await s.carryOutOpen(), ['ad:ad-1 held', 'ad_set:set-1 held']);
    assert.equal([await list('ad_set'), await list('ad')], before);
    assert.is(await reconcile(3), 0);
    assert.equal(await s.carryOutOpen(), []);
  });

test('what a network writes in a way of its own is told once, and again when somebody sets it to something else', async () => {
  await using s = await setUpNetwork('tiktok');
  const campaign = await s.addCampaign('cmp-1');
  await s.addAdObjects('cmp-1', [{ objectId: 'set-1', settings: { dayparting: 'always' } }]);
  await s.carryOutOpen();
  const listing = { campaignIds: [campaign], settingNames: [] };
  const [set] = await s.meta.adObjects.list(s.account, 'ad_set', listing, s.signal());
  assert.ok(set !== undefined);
  const { externalId, parentId, name = '' } = set;
  const write = async (dayparting: string) => {
    const changes = { parentId, name, settings: { dayparting }, changed: { dayparting } };
    await s.meta.adObjects.change(s.account, 'ad_set', externalId, changes, s.signal());
  };
  let hours = 0;
  const reconcile = async (): Promise<string[]> => {
    s.time.aheadMs = (hours += 1) * 3_600_000;
    await s.carryOut({ objectKey: 'reconcile', desired: { kind: 'reconcile' } });
    return await s.carryOutOpen();
  };
  const told = ['ad_set:set-1 held'];
  await write('1111');
  assert.equal(await reconcile(), told);
  // However often it is told, this is what it makes of it.
  await write('1111');
  assert.equal(await reconcile(), []);
  assert.equal(await reconcile(), []);
  await write('0000');
  assert.equal(await reconcile(), told);
  assert.equal(await reconcile(), []);
  await write('0000');
  assert.equal(await reconcile(), told, 'once it was as it should be, the same is drift again');
});

test.run();
