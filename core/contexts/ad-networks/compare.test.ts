import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { campaignTag, taggedName } from './campaign-name.ts';
import { type HeldCampaign, compareWithListing } from './compare.ts';
import type { NetworkCampaign } from './network.ts';

const at = { listedAtMs: 1_000_000, lagMs: 1_000 };
const tagged = (campaignId: string) => taggedName('Sale', campaignTag('shop-1', campaignId));
const held = (campaignId: string, more: Partial<HeldCampaign> = {}): HeldCampaign => ({
  campaignId,
  externalId: `x-${campaignId}`,
  status: 'live',
  desiredState: 'active',
  name: 'Sale',
  dailyBudgetMinor: 500,
  syncedAtMs: 0,
  ...more,
});
const there = (campaignId: string, more: Partial<NetworkCampaign> = {}): NetworkCampaign => ({
  externalId: `x-${campaignId}`,
  name: tagged(campaignId),
  state: 'active',
  dailyBudgetMinor: 500,
  ...more,
});
const compare = (ours: HeldCampaign[], listing: NetworkCampaign[]) => compareWithListing('shop-1', ours, listing, at);
const nothing = { drifted: [], endedOutside: [], twins: [], outside: [] };

test('what is as desired differs in nothing, whatever its drift could be', () => {
  assert.equal(compare([held('a')], [there('a')]), nothing);
  const changes: Partial<NetworkCampaign>[] = [{ state: 'paused' }, { dailyBudgetMinor: 501 }, { name: 'Renamed' }];
  for (const change of changes)
    assert.equal(compare([held('a')], [there('a', change)]), { ...nothing, drifted: ['a'] });
});

test('a campaign that is gone was ended outside, unless it is to have ended', () => {
  assert.equal(compare([held('a')], []), { ...nothing, endedOutside: ['a'] });
  assert.equal(compare([held('a', { desiredState: 'ended' })], []), nothing);
});

test('of campaigns with our tag, all but the one that we go on with are twins', () => {
  const twin = there('a', { externalId: 'x-twin' });
  assert.equal(compare([held('a')], [twin, there('a')]), { ...nothing, twins: ['x-twin'] });
  // The one that we go on with has ended, as it should; its twin has not.
  assert.equal(compare([held('a', { desiredState: 'ended' })], [twin]), { ...nothing, twins: ['x-twin'] });
});

test('campaigns without our tag, or with one that we know nothing of, were made outside', () => {
  const others = [there('b', { name: 'Theirs' }), there('c')];
  assert.equal(compare([held('a')], [there('a'), ...others]), { ...nothing, outside: others });
});

test('nothing is said about what is under way, or too young for the listing', () => {
  const twins = [there('a'), there('a', { externalId: 'x-twin', state: 'paused' })];
  const open: Partial<HeldCampaign>[] = [
    { status: 'pending' },
    { status: 'failed' },
    { externalId: null },
    { syncedAtMs: undefined },
    { syncedAtMs: 999_500 },
  ];
  for (const each of open) {
    assert.equal(compare([held('a', each)], twins), nothing);
    assert.equal(compare([held('a', each)], []), nothing);
  }
});

test.run();
