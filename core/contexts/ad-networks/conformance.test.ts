import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { derivedAccountId } from './accounts.ts';
import { connectAdNetworks, sameCredentials } from './connect.ts';
import type { AdAccount, AdNetwork, CampaignFields } from './network.ts';
import { systemClock } from '../../runtime/clock.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { unusedPrefix } from '../../testing/world.ts';

/** What every ad network must do for us, whatever its interface looks like. One account for each test. */
const { networksUrl } = unusedPrefix();
const networks = connectAdNetworks({
  baseUrl: networksUrl,
  credentials: sameCredentials('test'),
  clock: systemClock,
});
const signal = () => AbortSignal.timeout(20_000);
const newAccount = (): AdAccount => ({
  accountId: derivedAccountId(unusedPrefix().stack),
  currency: 'EUR',
  timeZone: 'UTC',
});
const sale: CampaignFields = { state: 'active', name: 'Sale (lw-0123456789abcdef0123)', dailyBudgetMinor: 5_007 };
const key = () => crypto.randomUUID().replaceAll('-', '');

const control = async (path: string, body: unknown) => {
  const response = await fetch(`${networksUrl}/_control/${path}`, { method: 'POST', body: JSON.stringify(body) });
  assert.is(response.status, 201);
};
const fault = (network: AdNetwork, { accountId: account }: AdAccount, kind: string, on = 'writes', times = 1) =>
  control('faults', [{ network: network.id, account, kind, on, times }]);

async function failureOf(work: Promise<unknown>): Promise<LanewayError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof LanewayError) return error;
    throw error;
  }
  throw new Error('the call did not fail');
}

for (const network of networks) {
  const create = (account: AdAccount, fields: Partial<CampaignFields> = {}) =>
    network.createCampaign(account, { ...sale, ...fields }, key(), signal());
  const find = (account: AdAccount) => network.findCampaigns(account, 'lw-0123456789abcdef0123', signal());

  test(`${network.id}: a campaign is created, found by its tag, changed, and ended for good`, async () => {
    const account = newAccount();
    assert.equal(await find(account), []);
    const externalId = await create(account);
    assert.equal(await find(account), [{ externalId, ...sale }]);
    const changes = { state: 'paused', name: `New ${sale.name}`, dailyBudgetMinor: 7_001 } as const;
    for (let times = 0; times < 2; times++) await network.changeCampaign(account, externalId, changes, signal());
    assert.equal(await network.listCampaigns(account, signal()), [{ externalId, ...changes }]);
    for (let times = 0; times < 2; times++)
      await network.changeCampaign(account, externalId, { state: 'ended' }, signal());
    assert.equal(await network.listCampaigns(account, signal()), []);
    assert.equal(
      (await find(account)).map(({ state }) => state),
      ['ended'],
    );
    const late = await failureOf(network.changeCampaign(account, externalId, { state: 'active' }, signal()));
    assert.equal([late.code, late.retry], ['effect.rejected', 'never']);
  });

  test(`${network.id}: accounts are apart, and say what they are kept in`, async () => {
    const account = newAccount();
    const settings = { network: network.id, account: account.accountId, currency: 'JPY', timeZone: 'Asia/Tokyo' };
    await control('accounts', settings);
    const read = await network.readAccount(account.accountId, signal());
    assert.equal(read, { accountId: account.accountId, currency: 'JPY', timeZone: 'Asia/Tokyo' });
    await network.createCampaign(read, sale, key(), signal());
    assert.equal(
      (await find(read)).map(({ dailyBudgetMinor }) => dailyBudgetMinor),
      [5_007],
    );
    assert.equal(await find(newAccount()), []);
  });

  test(`${network.id}: each kind of refusal is told apart from the others, and none is taken for a success`, async () => {
    const account = newAccount();
    const expected = [
      ['error400', 'effect.rejected', 'never'],
      ['error429', 'effect.limited', 'backoff'],
      ['conflict', 'effect.conflict', 'backoff'],
      ['error500', 'effect.outcome_unknown', 'backoff'],
    ] as const;
    for (const [kind, code, retry] of expected) {
      await fault(network, account, kind);
      const error = await failureOf(create(account));
      assert.equal([kind, error.code, error.retry], [kind, code, retry]);
    }
    assert.equal(await find(account), []);
    await fault(network, account, 'error500', 'reads');
    assert.is((await failureOf(find(account))).code, 'effect.unavailable');
    const unknown = network.changeCampaign(account, '999', { state: 'paused' }, signal());
    assert.is((await failureOf(unknown)).code, 'effect.rejected');
  });

  test(`${network.id}: a token that is not accepted is neither the call's fault nor the network's`, async () => {
    const account = newAccount();
    await fault(network, account, 'token_expired', 'writes', network.id === 'google_ads' ? 2 : 1);
    assert.is((await failureOf(create(account))).code, 'effect.unauthorized');
    assert.equal(await find(account), []);
    await create(account);
  });

  test(`${network.id}: what took effect without an answer is unknown, and found afterwards`, async () => {
    const account = newAccount();
    for (const kind of ['commit_then_drop', 'commit_then_500']) {
      await fault(network, account, kind);
      const name = `${kind} ${sale.name}`;
      assert.is((await failureOf(create(account, { name }))).code, 'effect.outcome_unknown');
      assert.ok((await find(account)).some((each) => each.name === name));
    }
  });

  test(`${network.id}: an ad set and its ad are made, found by their tags, and put into each state, ended for good`, async () => {
    const account = newAccount();
    const campaignId = await create(account);
    const tag = 'lw-0123456789abcdef0123';
    const settings = {
      ad_set: { targeting: {}, billing_event: 'IMPRESSIONS', optimization_goal: 'LINK_CLICKS' },
      ad: network.id === 'google_ads' ? { finalUrls: ['https://shop.example/1'] } : { creative: {} },
    };
    const kept = { ad_set: '', ad: '' };
    let parentId = campaignId;
    for (const kind of ['ad_set', 'ad'] as const) {
      const { adObjects } = network;
      const states = async () =>
        (await adObjects.find(account, kind, { parentId, tag }, signal())).map((each) => [each.externalId, each.state]);
      assert.equal(await states(), []);
      const fields = { parentId, tag, name: `A (${tag})`, state: 'paused', settings: settings[kind] } as const;
      await fault(network, account, 'commit_then_drop');
      const unknown = await failureOf(adObjects.create(account, kind, fields, key(), signal()));
      assert.is(unknown.code, 'effect.outcome_unknown');
      const [made] = await adObjects.find(account, kind, { parentId, tag }, signal());
      assert.ok(made !== undefined && made.state === 'paused');
      for (const state of ['active', 'active', 'ended', 'ended'] as const) {
        await adObjects.changeState(account, kind, made.externalId, state, signal());
        assert.equal(await states(), [[made.externalId, state]]);
      }
      const late = await failureOf(adObjects.changeState(account, kind, made.externalId, 'active', signal()));
      assert.is(late.code, 'effect.rejected');
      parentId = await adObjects.create(account, kind, { ...fields, name: `B (${tag}0)` }, key(), signal());
      const unfit = { ...fields, parentId: '999' };
      assert.is((await failureOf(adObjects.create(account, kind, unfit, key(), signal()))).code, 'effect.rejected');
      kept[kind] = parentId;
    }
    // An ad that has ended with its ad set is as it should be.
    for (const kind of ['ad_set', 'ad'] as const)
      await network.adObjects.changeState(account, kind, kept[kind], 'ended', signal());
  });

  test(`${network.id}: ad sets and ads are listed by the campaigns they are in, complete, without what has ended`, async () => {
    const account = newAccount();
    const { adObjects } = network;
    const tagOf = (n: number) => `lw-${String(n).padStart(20, '0')}`;
    const settings = {
      ad_set: { targeting: {}, billing_event: 'IMPRESSIONS', optimization_goal: 'LINK_CLICKS' },
      ad: network.id === 'google_ads' ? { finalUrls: ['https://shop.example/1'] } : { creative: {} },
    };
    const make = (kind: 'ad_set' | 'ad', parentId: string, n: number) => {
      const fields = { parentId, tag: tagOf(n), name: `Nr ${n} (${tagOf(n)})`, settings: settings[kind] };
      return adObjects.create(account, kind, { ...fields, state: 'active' }, key(), signal());
    };
    const campaignIds = [await create(account), await create(account, { name: `Two ${sale.name}` })];
    const [first = '', second = ''] = campaignIds;
    const sets = [await make('ad_set', first, 1), await make('ad_set', first, 2), await make('ad_set', second, 3)];
    const [set1 = '', set2 = '', set3 = ''] = sets;
    const ads = [await make('ad', set1, 11), await make('ad', set1, 12), await make('ad', set3, 13)];
    await make('ad', set2, 14);
    await adObjects.changeState(account, 'ad_set', set1, 'paused', signal());
    await adObjects.changeState(account, 'ad_set', set2, 'ended', signal());
    await adObjects.changeState(account, 'ad', ads[1] ?? '', 'ended', signal());
    const list = async (kind: 'ad_set' | 'ad', of: string[]) =>
      (await adObjects.list(account, kind, { campaignIds: of, settingNames: [] }, signal()))
        .map(({ externalId, parentId, name, tag, state }) => [externalId, parentId, name, tag, state].join(' '))
        .toSorted();
    const line = (externalId: string, parentId: string, n: number, state: string, name = `Nr ${n} (${tagOf(n)})`) =>
      [externalId, parentId, name, tagOf(n), state].join(' ');
    assert.equal(await list('ad_set', [first]), [line(set1, first, 1, 'paused')]);
    const unnamed = network.id === 'google_ads' ? '' : undefined;
    assert.equal(await list('ad', [second]), [line(ads[2] ?? '', set3, 13, 'active', unnamed)]);
    assert.equal(await list('ad', []), []);
    // More than one call takes.
    const many = [...Array.from({ length: 150 }, (_, n) => String(9_000_000 + n)), ...campaignIds];
    const both = [line(set1, first, 1, 'paused'), line(set3, second, 3, 'active')];
    assert.equal(await list('ad_set', many), both.toSorted());
    assert.is((await list('ad', many)).length, 2);
  });

  test(`${network.id}: a report has a row for each day and campaign, and reading it again finds the same`, async () => {
    const account = newAccount();
    const ids = [await create(account), await create(account, { name: `Two ${sale.name}` })];
    const to = new Date(systemClock.now()).toISOString().slice(0, 10);
    const from = new Date(systemClock.now() - 2 * 86_400_000).toISOString().slice(0, 10);
    const rows = await network.report(account, { from, to }, signal());
    assert.equal(rows.map(({ externalId }) => externalId).toSorted(), [...ids, ...ids, ...ids].toSorted());
    assert.ok(rows.every((row) => Number.isInteger(row.spendMicros) && row.spendMicros > 0 && row.clicks > 0));
    assert.equal(await network.report(account, { from, to }, signal()), rows);
  });

  test(`${network.id}: name and settings of an ad set and an ad change, the rest stays, and what has ended takes none`, async () => {
    const account = newAccount();
    const { adObjects } = network;
    const tag = 'lw-0123456789abcdef0123';
    const [kept, newer] =
      network.id === 'google_ads'
        ? [{ finalUrls: ['https://shop.example/1'] }, { finalUrls: ['https://shop.example/2'] }]
        : [{ creative: { id: '1' } }, { creative: { id: '2' } }];
    const bids = { targeting: {}, billing_event: 'IMPRESSIONS', optimization_goal: 'LINK_CLICKS', cpcBidMicros: '5' };
    const heldOf = async (externalId: string): Promise<Record<string, unknown>> => {
      const { calls } = z
        .object({ calls: z.array(z.object({ id: z.string(), op: z.string(), body: z.looseObject({}) })) })
        .parse(await (await fetch(`${networksUrl}/_log`)).json());
      const id = externalId.slice(externalId.indexOf('~') + 1);
      return Object.assign(
        {},
        ...calls.filter((each) => each.id === id && each.op === 'update').map(({ body }) => body),
      );
    };
    let parentId = await create(account);
    for (const [kind, settings, changed] of [
      ['ad_set', bids, { cpcBidMicros: '7' }],
      ['ad', kept, newer],
    ] as const) {
      const fields = { parentId, tag, name: `A (${tag})`, state: 'active', settings } as const;
      const externalId = await adObjects.create(account, kind, fields, key(), signal());
      const changes = { parentId, name: `B (${tag})`, settings: { ...settings, ...changed }, changed };
      for (let times = 0; times < 2; times++) await adObjects.change(account, kind, externalId, changes, signal());
      const { settings: held, name } = await heldOf(externalId);
      assert.equal(
        Object.entries(changed).map(([field]) => Object(held)[field]),
        Object.values(changed),
      );
      assert.is(name, network.id === 'google_ads' && kind === 'ad' ? undefined : `B (${tag})`);
      const [found] = await adObjects.find(account, kind, { parentId, tag }, signal());
      assert.equal(found, { externalId, state: 'active' });
      const gone = await adObjects.create(account, kind, { ...fields, name: `C (${tag}0)` }, key(), signal());
      await adObjects.changeState(account, kind, gone, 'ended', signal());
      if (network.id !== 'google_ads' || kind === 'ad_set') {
        const late = await failureOf(adObjects.change(account, kind, gone, changes, signal()));
        assert.is(late.code, 'effect.rejected');
      }
      parentId = externalId;
    }
  });

  test(`${network.id}: a report of ads has their days in the campaigns asked for, which come to those of the campaign`, async () => {
    const account = newAccount();
    const { adObjects } = network;
    const tag = 'lw-0123456789abcdef0123';
    const make = (kind: 'ad_set' | 'ad', parentId: string, settings: Record<string, unknown>) => {
      const fields = { parentId, tag, name: `A ${key()} (${tag})`, state: 'active', settings } as const;
      return adObjects.create(account, kind, fields, key(), signal());
    };
    const setSettings = { targeting: {}, billing_event: 'IMPRESSIONS', optimization_goal: 'LINK_CLICKS' };
    const adSettings =
      network.id === 'google_ads' ? { finalUrls: ['https://shop.example/1'] } : { creative: {}, identity_id: '1' };
    const madeOn = new Date(systemClock.now()).toISOString().slice(0, 10);
    const [first, second] = [await create(account), await create(account, { name: `Two ${sale.name}` })];
    const set1 = await make('ad_set', first, setSettings);
    const ads = [await make('ad', set1, adSettings), await make('ad', set1, adSettings)];
    const elsewhere = await make('ad', await make('ad_set', second, setSettings), adSettings);
    await adObjects.changeState(account, 'ad', ads[0] ?? '', 'ended', signal());
    const to = new Date(systemClock.now()).toISOString().slice(0, 10);
    const from = new Date(systemClock.now() - 2 * 86_400_000).toISOString().slice(0, 10);
    const rows = await adObjects.report(account, { from, to }, [first], signal());
    assert.ok(rows.every(({ date }) => date >= madeOn));
    const idsOf = (days: typeof rows) => [...new Set(days.map(({ externalId }) => externalId))].toSorted();
    assert.equal(idsOf(rows), ads.toSorted());
    const campaigns = await network.report(account, { from, to }, signal());
    for (const [date, days] of Map.groupBy(rows, (row) => row.date)) {
      const whole = campaigns.find((row) => row.externalId === first && row.date === date);
      for (const figure of ['impressions', 'clicks', 'conversions', 'spendMicros'] as const) {
        const sum = days.reduce((before, row) => before + row[figure], 0);
        assert.is(sum, whole?.[figure], figure);
      }
    }
    assert.equal(await adObjects.report(account, { from, to }, [first], signal()), rows);
    const many = [...Array.from({ length: 150 }, (_, n) => String(9_000_000 + n)), first, second];
    const all = await adObjects.report(account, { from, to }, many, signal());
    assert.equal(idsOf(all), [...ads, elsewhere].toSorted());
    assert.equal(await adObjects.report(account, { from, to }, [], signal()), []);
  });

  test(`${network.id}: listings are complete however many pages they take`, async () => {
    const account = newAccount();
    await Promise.all(Array.from({ length: 30 }, (_, n) => create(account, { name: `${n} ${sale.name}` })));
    assert.is((await network.listCampaigns(account, signal())).length, 30);
  });
}

test('Google refuses a second campaign of one name, which is to be looked up', async () => {
  const [google] = networks;
  assert.ok(google !== undefined);
  const account = newAccount();
  await google.createCampaign(account, sale, key(), signal());
  const second = await failureOf(google.createCampaign(account, sale, key(), signal()));
  assert.equal([second.code, second.message.includes('DUPLICATE_CAMPAIGN_NAME')], ['effect.outcome_unknown', true]);
});

test('Meta makes twins without a word; TikTok makes none while it remembers the request', async () => {
  const [, meta, tiktok] = networks;
  assert.ok(meta !== undefined && tiktok !== undefined);
  const account = newAccount();
  const sameKey = key();
  for (const network of [meta, tiktok])
    for (let times = 0; times < 2; times++) await network.createCampaign(account, sale, sameKey, signal());
  assert.is((await meta.listCampaigns(account, signal())).length, 2);
  assert.is((await tiktok.listCampaigns(account, signal())).length, 1);
});

test.run();
