import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { NetworkCall } from '../checker/evidence.ts';
import { type PartnerEvidence, checkPartners } from './check-partners.ts';

const call = (
  op: NetworkCall['op'],
  id: string,
  body: NetworkCall['body'],
  kind: NetworkCall['kind'] = 'campaign',
): NetworkCall => ({ network: 'meta', account: 'a', kind, op, id, body });
const campaign = (id: string) => call('create', id, { name: 'Sale (lw-1)', status: 'ACTIVE' });
const adSet = (id: string, parentId: string) => call('create', id, { name: 'Set (lw-2)', parentId }, 'ad_set');
const ad = (id: string, parentId: string) => call('create', id, { urlSuffix: 'lw_ad=lw-3', parentId }, 'ad');
const mail = { channel: 'email', to: ['owner@example.org'], tag: 'm-1' };
const report = { ours: { EUR: 1 }, recomputed: { EUR: 1 }, match: true, differences: [] };
const good: PartnerEvidence = {
  calls: [campaign('1'), campaign('2'), call('update', '2', { status: 'ENDED' })],
  messages: [mail],
  notified: [{ channel: 'email', to: 'owner@example.org', count: 1 }],
  droppedCalls: 1,
  droppedMessages: 1,
  unknownMessages: 1,
  reports: { commissions: report },
};

test('a twin that was ended, a message once and an outcome that is said to be unknown are as they should be', () => {
  const { findings, twinsMade, liveTwins, sentTwice } = checkPartners(good);
  assert.equal([findings, twinsMade, liveTwins, sentTwice], [[], 1, 0, 0]);
});

test('ad sets and ads are counted like campaigns, and those under what has ended are not alive', () => {
  const ended = call('update', '2', { status: 'ENDED' });
  const calls = [campaign('1'), campaign('2'), ended, adSet('3', '1'), adSet('4', '2'), ad('5', '3'), ad('6', '4')];
  const { findings, twinsMade, liveTwins, made } = checkPartners({ ...good, calls });
  assert.equal([findings, twinsMade, liveTwins], [[], 3, 0]);
  assert.equal(made, { campaign: 2, ad_set: 2, ad: 2 });
});

for (const [name, broken, what] of [
  ['a twin of an ad set that lives', { calls: [campaign('1'), adSet('3', '1'), adSet('4', '1')] }, /^twin: .*ad_set/],
  [
    'a twin of an ad that lives',
    { calls: [campaign('1'), adSet('3', '1'), ad('5', '3'), ad('6', '3')] },
    /^twin: .*ad"/,
  ],
  ['a twin that lives', { calls: [campaign('1'), campaign('2')] }, /^twin: /],
  ['a message that was sent twice', { messages: [mail, mail] }, /^sent twice: /],
  ['an unknown outcome that is not counted', { unknownMessages: 0 }, /^unknown: /],
  ['a ledger that is off', { reports: { commissions: { ...report, match: false } } }, /^report commissions differs/],
] as const)
  test(`${name} is found`, () => {
    const { findings } = checkPartners({ ...good, ...broken });
    assert.ok(findings.length > 0);
    assert.match(findings[0] ?? '', what);
  });

test.run();
