// test-stack
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { CampaignFields } from './network.ts';
import { setUpNetwork } from './testing/network-world.ts';
import { endTwin } from './twin-effect.ts';

test('a twin is ended as what it is, on every network', async () => {
  await using s = await setUpNetwork();
  for (const network of s.networks) {
    const { adObjects } = network;
    const fields: CampaignFields = { state: 'active', name: 'Sale', dailyBudgetMinor: 100 };
    const campaign = await network.createCampaign(s.account, fields, 'ab', s.signal());
    const settings = {
      ...(network.id === 'google_ads' ? { finalUrls: ['https://shop.example/1'] } : { creative: {} }),
      ...{ targeting: {}, billing_event: 'IMPRESSIONS', optimization_goal: 'REACH' },
    };
    const make = (kind: 'ad_set' | 'ad', parentId: string) => {
      const made = { parentId, name: 'Twin', tag: 'lw-0', state: 'active', settings } as const;
      return adObjects.create(s.account, kind, made, 'cd', s.signal());
    };
    const end = ({ objectKey, desired }: ReturnType<typeof endTwin>) =>
      s.carryOut({ destination: `ad-network:${network.id}`, objectKey, desired });
    const left = async () => {
      const sets = await adObjects.list(s.account, 'ad_set', { campaignIds: [campaign], settingNames: [] }, s.signal());
      const ads = await adObjects.list(s.account, 'ad', { campaignIds: [campaign], settingNames: [] }, s.signal());
      const campaigns = await network.listCampaigns(s.account, s.signal());
      return [campaigns, sets, ads].map(({ length }) => length);
    };
    const adSet = await make('ad_set', campaign);
    const ad = await make('ad', adSet);
    assert.equal(await left(), [1, 1, 1]);
    await end(endTwin(ad, 'ad'));
    assert.equal(await left(), [1, 1, 0]);
    await end(endTwin(adSet, 'ad_set'));
    assert.equal(await left(), [1, 0, 0]);
    await end(endTwin(campaign));
    assert.equal((await left())[0], 0);
  }
});

test.run();
