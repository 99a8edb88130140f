import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { FeedAccount } from './feed-account.ts';
import { describeItem } from './describe-item.ts';
import { itemsOf } from './feed-item.ts';
import type { FeedLine } from './feed-lines.ts';
import type { FeedNetwork } from './feed-network.ts';
import { createGoogleMerchant } from './google-merchant.ts';
import { createMetaCatalog } from './meta-catalog.ts';
import { LanewayError } from '../../../runtime/errors.ts';
import { unusedPrefix } from '../../../testing/world.ts';

const { networksUrl } = unusedPrefix();
const signal = () => new AbortController().signal;
const control = async (account: FeedAccount, settings: Record<string, number>) =>
  void (await (
    await fetch(`${networksUrl}/_feeds/control`, {
      method: 'POST',
      body: JSON.stringify({ account: numberOf(account), ...settings }),
    })
  ).json());

const numberOf = (account: FeedAccount) =>
  account.network === 'google_merchant' ? account.merchantCenterId : account.catalogId;

const unusedNumber = () => String(BigInt(`0x${unusedPrefix().stack.slice(1)}`));

interface Contender {
  name: string;
  account: FeedAccount;
  network: FeedNetwork<FeedAccount>;
  /** The same with a token that the network refuses. */
  unknown: FeedNetwork<FeedAccount>;
}

/** An account is only ever given to its own network. */
const contenders = (): Contender[] => {
  const google = (token: string) =>
    createGoogleMerchant({
      baseUrl: `${networksUrl}/merchant-api`,
      token: () => Promise.resolve(token),
    }) as unknown as FeedNetwork<FeedAccount>;
  const meta = (token: string) =>
    createMetaCatalog({
      baseUrl: `${networksUrl}/meta-catalog`,
      token: () => Promise.resolve(token),
    }) as unknown as FeedNetwork<FeedAccount>;
  return [
    {
      name: 'google_merchant',
      account: {
        network: 'google_merchant',
        merchantCenterId: unusedNumber(),
        dataSourceId: '9',
        contentLanguage: 'en',
        feedLabel: 'US',
      },
      network: google('t'),
      unknown: google(''),
    },
    {
      name: 'meta_catalog',
      account: { network: 'meta_catalog', catalogId: unusedNumber() },
      network: meta('t'),
      unknown: meta(''),
    },
  ];
};

const attributes = {
  title: 'Trail shoe',
  description: 'For mud',
  link: 'https://shop.example/1',
  imageLink: 'https://shop.example/1.jpg',
  brand: 'Nordwind',
  gtin: '4006381333931',
  priceMinor: 8_999,
  currency: 'EUR',
  availability: 'in_stock',
};

const describe = (account: FeedAccount, productId: string, more: Record<string, unknown> = {}, run = 1) => {
  const [item] = itemsOf({ productId, attributes: { ...attributes, ...more }, variants: [] }, {}, () => undefined);
  if (item === undefined) throw new Error('a product has an item');
  return describeItem(account, item, run);
};

const line = (account: FeedAccount, item: string, more: Record<string, unknown> = {}, run = 1): FeedLine => ({
  item,
  body: describe(account, item, more, run).body,
});

for (const { name, account, network, unknown } of contenders()) {
  test(`${name}: items are taken one by one, read back as they were sent, and removed`, async () => {
    await control(account, { showAfterMs: 0 });
    const lines = [line(account, 'a/1'), line(account, 'b'), line(account, 'c', { title: '' })];
    const verdicts = await network.submit(account, lines, signal());
    assert.equal(
      verdicts.map(({ itemId, state }) => [itemId, state]),
      [
        ['a/1', 'submitted'],
        ['b', 'submitted'],
        ['c', 'rejected'],
      ],
    );
    assert.is(verdicts[2]?.issues[0]?.code, 'network.refused');
    const shown = await network.readBack(account, ['a/1', 'b', 'c'], signal());
    assert.equal([...shown.keys()].toSorted(), ['a/1', 'b']);
    assert.equal([shown.get('b')?.state, shown.get('b')?.shows], ['approved', describe(account, 'b').expected]);
    const [removed, absent] = await network.submit(
      account,
      [
        { item: 'b', remove: true },
        { item: 'never', remove: true },
      ],
      signal(),
    );
    assert.equal([removed?.state, absent?.state], ['removed', 'removed']);
    assert.equal([...(await network.readBack(account, ['b'], signal())).keys()], []);
  });

  test(`${name}: an item that is disapproved later says why when it is read back`, async () => {
    await network.submit(account, [line(account, 'd', { title: 'disapproved shoe' })], signal());
    const shown = (await network.readBack(account, ['d'], signal())).get('d');
    assert.is(shown?.state, 'disapproved');
    assert.equal([shown?.issues[0]?.severity, shown?.issues[0]?.message], ['error', 'The title breaks a policy']);
  });

  test(`${name}: what shows later is not there before`, async () => {
    await control(account, { showAfterMs: 60_000 });
    await network.submit(account, [line(account, 'later')], signal());
    assert.equal([...(await network.readBack(account, ['later'], signal())).keys()], []);
    await control(account, { showAfterMs: 0 });
  });

  test(`${name}: too many calls and a wrong token are told apart`, async () => {
    const codeOf = async (other: FeedNetwork<FeedAccount>) => {
      try {
        await other.submit(account, [line(account, 'e')], signal());
        return 'taken';
      } catch (error) {
        return error instanceof LanewayError ? error.code : String(error);
      }
    };
    await control(account, { refuseNext: 1 });
    assert.is(await codeOf(network), 'effect.limited');
    assert.is(await codeOf(network), 'taken');
    assert.is(await codeOf(unknown), 'effect.rejected');
  });
}

test('google_merchant: a version that is older than what is there changes nothing', async () => {
  const [google] = contenders();
  if (google === undefined) throw new Error('there is one');
  const { account, network } = google;
  await control(account, { showAfterMs: 0 });
  await network.submit(account, [line(account, 'x', { priceMinor: 200 }, 5)], signal());
  const [late] = await network.submit(account, [line(account, 'x', { priceMinor: 100 }, 4)], signal());
  assert.equal([late?.state, late?.issues[0]?.code], ['rejected', 'network.older_version']);
  const shown = (await network.readBack(account, ['x'], signal())).get('x');
  assert.is(shown?.shows['price'], '2000000 EUR');
});

test.run();
