import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { AskedAdObject } from '../load/advertise.ts';
import { checkAdObjects } from './check-ad-objects.ts';
import type { AdObjectState, NetworkCall, NetworkState } from './evidence.ts';

const shop = { merchantId: 'shop-1', campaignId: 'cmp' };
const set: AskedAdObject = {
  ...{ ...shop, objectId: 'set', kind: 'ad_set', adSetId: undefined, name: 'Set', state: 'paused' },
  settings: { google_ads: { cpcBidMicros: '5', targeting: { a: 1 } } },
};
const ad: AskedAdObject = {
  ...{ ...shop, objectId: 'ad', kind: 'ad', adSetId: 'set', name: 'Ad', state: 'active' },
  settings: { google_ads: { finalUrls: ['https://shop.example/'] } },
};
const state = (objectId: string, externalId: string, actualState: string): AdObjectState => ({
  ...{ merchantId: 'shop-1', objectId, adNetworkId: 'google_ads', status: 'live', actualState, externalId },
});
const call = (kind: NetworkCall['kind'], op: NetworkCall['op'], id: string, body: NetworkCall['body']) => ({
  ...{ network: 'google_ads', account: 'a', kind, op, id, body },
});
const campaign = { merchantId: 'shop-1', campaignId: 'cmp', adNetworkId: 'google_ads', externalId: '1' };
const networkStates: NetworkState[] = [{ ...campaign, desiredState: 'active', status: 'live', actualState: 'active' }];
const settings = { cpcBidMicros: '4', targeting: { a: 1 }, more: true };
const content = { settings: { finalUrls: ['https://shop.example/'] }, urlSuffix: 'lw_ad=lw-ad' };
const calls = [
  call('ad_set', 'create', '2', { name: 'Old (lw-set)', status: 'ACTIVE', parentId: '1', settings }),
  call('ad', 'create', '3', { status: 'ACTIVE', parentId: '2', ...content }),
  call('ad_set', 'update', '2', {
    ...{ name: 'Set (lw-set)', status: 'PAUSED', settings: { ...settings, cpcBidMicros: '5' } },
  }),
];
const good = {
  askedAdObjects: [set, ad],
  adObjectStates: [state('set', '2', 'paused'), state('ad', '2~3', 'active')],
  networkStates,
  calls,
};
const say = (broken: Partial<typeof good> = {}) =>
  checkAdObjects({ ...good, ...broken }).map(({ kind, what }) => `${kind}: ${what}`);

test('what is there once, as it was asked for last and where it belongs, is as it should be', () => {
  assert.equal(say(), []);
});

test('what ended before it was made is nowhere', () => {
  const never: AskedAdObject = { ...ad, objectId: 'never', state: 'ended' };
  assert.equal(say({ askedAdObjects: [set, ad, never] }), []);
});

test('what ended with its ad set needs no end of its own', () => {
  const ended = [...calls, call('ad_set', 'update', '2', { status: 'ENDED' })];
  const states = [state('set', '2', 'ended'), state('ad', '2~3', 'ended')];
  const asked: AskedAdObject[] = [
    { ...set, state: 'ended' },
    { ...ad, state: 'ended' },
  ];
  assert.equal(say({ askedAdObjects: asked, adObjectStates: states, calls: ended }), []);
  assert.equal(say({ askedAdObjects: asked, adObjectStates: states }).length, 2);
});

const one = 'ad set set of shop-1 on google_ads';
const other = 'ad ad of shop-1 on google_ads';
const changed = (kind: NetworkCall['kind'], id: string, body: NetworkCall['body']) => ({
  calls: [...calls, call(kind, 'update', id, body)],
});
const cases: [string, Partial<typeof good>, string[]][] = [
  [
    'a state that we do not have',
    { adObjectStates: [state('set', '2', 'paused')] },
    [
      `lost: ${other} has no state`,
      'duplicated: ad lw-ad of account a on google_ads exists although none of ours is it',
    ],
  ],
  [
    'a state that we have otherwise',
    { adObjectStates: [state('set', '2', 'active'), state('ad', '2~3', 'active')] },
    [`lost: ${one} should be paused but is live, there active`],
  ],
  [
    'a state that the network has otherwise',
    changed('ad', '3', { status: 'PAUSED' }),
    [`lost: ${other} should be active but the network has PAUSED`],
  ],
  ['another name', changed('ad_set', '2', { name: 'X' }), [`lost: ${one} should be called Set but is called X`]],
  ['another place', changed('ad', '3', { parentId: '9' }), [`lost: ${other} should be in 2 but is in 9`]],
  [
    'a setting that is otherwise',
    changed('ad_set', '2', { settings: { cpcBidMicros: '5' } }),
    [`lost: ${one} should have targeting {"a":1}`],
  ],
  [
    'a twin',
    { calls: [...calls, call('ad', 'create', '4', { status: 'ENDED', parentId: '2', ...content })] },
    ['duplicated: ad lw-ad of account a on google_ads was created 2 times'],
  ],
  [
    'what nobody asked for',
    { askedAdObjects: [set] },
    ['duplicated: ["shop-1","ad","google_ads"] has a state although nobody asked for it'],
  ],
];
for (const [name, broken, expected] of cases) test(`${name} is found`, () => assert.equal(say(broken), expected));

test.run();
