import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { AdPlan } from './ad-plans.ts';
import { advertise } from './advertise.ts';

type Trouble = 'lost answer' | 'unavailable' | 'conflict';

/** A gateway that keeps what it is asked for by method and path, and gets into trouble at the calls that are named. */
async function setUpGateway(troubles: Record<number, Trouble>) {
  const calls: string[] = [];
  const sets: { adSetId: string; name: string; networks: object[]; ads: { adId: string; name: string }[] }[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const { method = '', url = '' } = request;
      const trouble = troubles[calls.push(`${method} ${url}`)];
      const say = (status: number, body: object) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      };
      if (trouble === 'unavailable') return say(503, { code: 'service.unavailable' });
      if (trouble === 'conflict') return say(409, { code: 'request.conflict' });
      const body = JSON.parse(text === '' ? '{}' : text);
      const networks = [{ status: 'live' }];
      let answer: object = {};
      if (method === 'GET')
        answer = { adSets: sets.map((set) => ({ ...set, ads: set.ads.map((ad) => ({ ...ad, networks })) })) };
      else if (url === '/v1/campaigns') answer = { campaign: { campaignId: 'cmp' } };
      else if (url.endsWith('/ad-sets')) {
        sets.push({ adSetId: `set-${sets.length + 1}`, name: body.name, networks, ads: [] });
        answer = { adSetId: sets.at(-1)?.adSetId };
      } else if (url.endsWith('/ads')) {
        const set = sets.find(({ adSetId }) => url.includes(adSetId));
        set?.ads.push({ adId: `ad-${set.ads.length + 1}`, name: body.name });
        answer = { adId: set?.ads.at(-1)?.adId };
      }
      if (trouble === 'lost answer') return request.socket.destroy();
      return say(202, answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    calls,
    sets,
    advertise: (plan: AdPlan) =>
      advertise([plan], {
        gatewayUrl: `http://127.0.0.1:${port}`,
        keys: new Map([[plan.merchantId, 'key']]),
        signal: AbortSignal.timeout(20_000),
        pauseMs: 10,
      }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const settings = { meta: { targeting: { countries: ['DE'] }, bid_amount: 1 } };
const plan: AdPlan = {
  merchantId: 'shop-1',
  networks: ['meta'],
  dailyBudgetMinor: 1_000,
  steps: [
    { do: 'make', kind: 'ad_set', key: 's', name: 'Set', state: 'active', settings },
    { do: 'make', kind: 'ad', key: 'a', adSet: 's', name: 'Ad', state: 'paused', settings },
    { do: 'look' },
    { do: 'change', key: 's', name: 'Other', settings: { meta: { bid_amount: 2 } } },
    { do: 'state', key: 's', state: 'ended' },
    { do: 'change', key: 'a', name: 'Late' },
  ],
};
const expected = [
  {
    ...{
      merchantId: 'shop-1',
      campaignId: 'cmp',
      objectId: 'set-1',
      kind: 'ad_set',
      adSetId: undefined,
      name: 'Other',
    },
    ...{ state: 'ended', settings: { meta: { targeting: { countries: ['DE'] }, bid_amount: 2 } } },
  },
  {
    ...{ merchantId: 'shop-1', campaignId: 'cmp', objectId: 'ad-1', kind: 'ad', adSetId: 'set-1', name: 'Ad' },
    ...{ state: 'ended', settings },
  },
];

test('what was asked for last is what counts, and ads end with their ad set', async () => {
  await using gateway = await setUpGateway({});
  assert.equal(await gateway.advertise(plan), expected);
  assert.equal(gateway.calls, [
    'POST /v1/campaigns',
    'POST /v1/campaigns/cmp/ad-sets',
    'POST /v1/campaigns/cmp/ad-sets/set-1/ads',
    'GET /v1/campaigns/cmp/ad-sets',
    'PATCH /v1/campaigns/cmp/ad-sets/set-1',
    'POST /v1/campaigns/cmp/ad-sets/set-1/state',
  ]);
});

test('what has no answer is looked up before it is asked for again, so that nothing is made twice', async () => {
  await using gateway = await setUpGateway({ 2: 'lost answer', 4: 'unavailable', 6: 'lost answer', 8: 'conflict' });
  assert.equal(await gateway.advertise(plan), expected);
  assert.equal(
    gateway.sets.map(({ name, ads }) => [name, ads.map((ad) => ad.name)]),
    [['Set', ['Ad']]],
  );
});

test.run();
