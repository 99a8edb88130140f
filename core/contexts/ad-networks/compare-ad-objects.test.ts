import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { taggedName } from './campaign-name.ts';
import { type HeldAdObject, type KnownListing, adObjectTag, compareAdObjects } from './compare-ad-objects.ts';

const at = { listedAtMs: 1_000_000, lagMs: 1_000, resting: new Set(['cmp']) };
const set = (objectId: string, more: Partial<HeldAdObject> = {}): HeldAdObject => ({
  ...{ kind: 'ad_set', objectId, campaignId: 'cmp', adSetId: null, name: 'Germany', state: 'active', version: 3 },
  ...{ settings: { bid: 5, geo: { countries: ['DE', 'AT'] } }, shown: {} },
  ...{ changedAtMs: 0, desiredVersion: 3, status: 'live', externalId: `x-${objectId}`, syncedAtMs: 0 },
  ...more,
});
const ad = (objectId: string, adSetId: string, more: Partial<HeldAdObject> = {}) =>
  set(objectId, { kind: 'ad', adSetId, ...more });
const there = (held: HeldAdObject, more: Partial<KnownListing> = {}): KnownListing => {
  const tag = adObjectTag('shop-1', held);
  const parentId = held.adSetId === null ? 'x-cmp' : `x-${held.adSetId}`;
  const name = taggedName(held.name, tag);
  const settings = { bid: '5', geo: { countries: ['AT', 'DE'], more: true }, added: 1 };
  return {
    kind: held.kind,
    externalId: held.externalId ?? '',
    parentId,
    name,
    tag,
    state: 'active',
    settings,
    ...more,
  };
};
const compare = (held: HeldAdObject[], listing: KnownListing[]) => compareAdObjects('shop-1', held, listing, at);
const nothing = { drifted: [], renamed: [], altered: [], shown: [], missing: [], toFollow: [], twins: [], outside: [] };

test('what is as desired differs in nothing; a state that is not is drift, a name that is not is told anew, and no name is none', () => {
  const [a, b] = [set('a'), ad('b', 'a')];
  assert.equal(compare([a, b], [there(a), there(b, { name: undefined })]), nothing);
  assert.equal(compare([a, b], [there(a, { state: 'paused' }), there(b)]).drifted, [{ kind: 'ad_set', objectId: 'a' }]);
  assert.equal(compare([a, b], [there(a), there(b, { name: 'Else', tag: undefined })]), {
    ...nothing,
    renamed: [{ kind: 'ad', objectId: 'b' }],
    toFollow: ['cmp'],
  });
  const ended = set('a', { state: 'ended' });
  assert.equal(compare([ended], []), nothing);
  assert.equal(compare([ended], [there(ended)]).drifted, [{ kind: 'ad_set', objectId: 'a' }]);
});

test('what is set otherwise is told anew, once for what the network then shows; what it does not show says nothing', () => {
  const [a, b] = [set('a'), ad('b', 'a')];
  const geo = { countries: ['AT'] };
  const shown = { geo: { wanted: { countries: ['DE', 'AT'] }, there: geo } };
  assert.equal(
    compare([a, b], [there(a, { settings: { bid: 5, geo }, state: 'paused' }), there(b, { settings: {} })]),
    {
      ...nothing,
      altered: [{ kind: 'ad_set', objectId: 'a', settings: ['geo'] }],
      shown: [{ kind: 'ad_set', objectId: 'a', shown }],
      toFollow: ['cmp'],
    },
  );
  const told = set('a', { shown });
  assert.equal(compare([told], [there(a, { settings: { geo } })]), nothing);
  const other = { geo: { countries: [] } };
  assert.equal(compare([told], [there(a, { settings: other })]).altered[0]?.settings, ['geo']);
  assert.equal(compare([told], [there(a)]), { ...nothing, shown: [{ kind: 'ad_set', objectId: 'a', shown: {} }] });
  const ended = set('a', { state: 'ended' });
  assert.equal(compare([ended], [there(a, { settings: { geo } })]).altered, []);
});

test('with an ad set that is gone go the ads that it had, except those that were given up', () => {
  const held = [set('a'), ad('b', 'a'), ad('c', 'a', { status: 'pending' }), ad('d', 'a', { status: 'failed' })];
  const listing = [there(ad('b', 'a'), { state: 'paused' })];
  assert.equal(compare(held, listing), {
    ...nothing,
    missing: [
      { kind: 'ad_set', objectId: 'a' },
      { kind: 'ad', objectId: 'b' },
      { kind: 'ad', objectId: 'c' },
    ],
    toFollow: ['cmp'],
  });
});

test('twins are those with our tag that we do not go on with, and a number is told apart by its kind', () => {
  const [a, b] = [set('a', { externalId: '7' }), ad('b', 'a', { externalId: '8' })];
  const twin = there(a, { externalId: '9' });
  assert.equal(compare([a, b], [there(a), there(b), twin]), {
    ...nothing,
    twins: [{ kind: 'ad_set', externalId: '9' }],
  });
  const theirs: KnownListing = {
    kind: 'ad',
    externalId: '7',
    parentId: '7',
    name: 'T',
    tag: undefined,
    state: 'active',
    settings: {},
  };
  assert.equal(compare([a, b], [there(a), there(b), theirs]), { ...nothing, outside: [theirs] });
});

test('what was never told of, or not of its newest version, is to be followed, once it is old enough', () => {
  const never = set('a', { desiredVersion: null, status: null, externalId: null, syncedAtMs: undefined });
  assert.equal(compare([never], []), { ...nothing, toFollow: ['cmp'] });
  assert.equal(compare([{ ...never, changedAtMs: 999_500 }], []), nothing);
  assert.equal(compare([{ ...never, state: 'ended' }], []), nothing);
  assert.equal(compare([set('a', { version: 4 })], []), { ...nothing, toFollow: ['cmp'] });
});

test('nothing is said about what is under way, or too young for the listing', () => {
  const open: Partial<HeldAdObject>[] = [
    { status: 'pending' },
    { status: 'failed' },
    { externalId: null },
    { syncedAtMs: undefined },
    { syncedAtMs: 999_500 },
    { campaignId: 'other' },
  ];
  for (const each of open) {
    const a = set('a', each);
    assert.equal(compare([a], [there(set('a'), { state: 'paused' }), there(a, { externalId: 'twin' })]), {
      ...nothing,
    });
    assert.equal(compare([a], []), nothing);
  }
});

test.run();
