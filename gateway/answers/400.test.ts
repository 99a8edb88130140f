import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { signed, startGateway } from '../testing/start-gateway.ts';

const campaign = { name: 'Winter sale', adNetworkIds: ['meta'], dailyBudgetMinor: 5_000, currency: 'EUR' };
const paths = (text: string): string[] => JSON.parse(text).errors.map((error: { path: string }) => error.path);

test('a faulty body is refused with the path of every fault, and nothing is written', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const faulty: [string, unknown, string[]][] = [
    ['not JSON', '{"name":', ['']],
    ['no body', '', ['']],
    ['an array', [], ['']],
    [
      'a lot',
      { name: '', adNetworkIds: ['meta', 'aol'], dailyBudgetMinor: 1.5 },
      ['name', 'adNetworkIds.1', 'dailyBudgetMinor', 'currency'],
    ],
    ['an unknown field', { ...campaign, dailyBudget: 5 }, ['']],
    ['no network', { ...campaign, adNetworkIds: [] }, ['adNetworkIds']],
    ['a network twice', { ...campaign, adNetworkIds: ['meta', 'meta'] }, ['adNetworkIds.1']],
    ['a budget beyond exact numbers', { ...campaign, dailyBudgetMinor: 1e300 }, ['dailyBudgetMinor']],
    ['NUL in a name', { ...campaign, name: 'a\0b' }, ['name']],
    [
      'half a surrogate pair',
      `{"name":"\\ud800","adNetworkIds":["meta"],"dailyBudgetMinor":1,"currency":"EUR"}`,
      ['name'],
    ],
    ['an end in the year 10000 of UTC', { ...campaign, endAt: '9999-12-31T23:59:59-23:59' }, ['endAt']],
    ['a start before the year 1 of UTC', { ...campaign, startAt: '0000-12-31T23:59:59Z' }, ['startAt']],
    ['a hostile product id', { ...campaign, productIds: ['p'.repeat(300)] }, ['productIds.0']],
  ];
  for (const [what, body, expected] of faulty) {
    const answer = await gateway.call('/v1/campaigns', { as, method: 'POST', body });
    assert.is(answer.status, 400, what);
    assert.is(answer.headers.get('content-type'), 'application/problem+json');
    assert.is(JSON.parse(answer.text).code, 'request.invalid');
    assert.equal(paths(answer.text), expected, what);
  }
  assert.equal(await gateway.world.postgres.db.selectFrom('campaigns').selectAll().execute(), []);
});

test('faulty parameters, ids and keys are refused where they stand', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const faulty: [string, string, Record<string, string>?][] = [
    ['/v1/products?limit=0', 'query.limit'],
    ['/v1/products?limit=201', 'query.limit'],
    ['/v1/products?limit=ten', 'query.limit'],
    [`/v1/products?after=${'x'.repeat(129)}`, 'query.after'],
    ['/v1/products?includeDeleted=maybe', 'query.includeDeleted'],
    ['/v1/campaigns?limit=1e9', 'query.limit'],
    ['/v1/reports/performance?from=0000-01-01&to=0001-01-02', 'query.from'],
    [`/v1/products/${'x'.repeat(129)}`, 'param.productId'],
    ['/v1/campaigns/a%00b', 'param.campaignId'],
    [`/v1/operations/${'x'.repeat(129)}`, 'param.operationId'],
  ];
  for (const [path, expected] of faulty) {
    const answer = await gateway.call(path, { as });
    assert.is(answer.status, 400, path);
    assert.equal(paths(answer.text), [expected], path);
  }
  for (const key of ['', 'x'.repeat(256), 'käse']) {
    const answer = await gateway.call('/v1/campaigns', { as, body: campaign, headers: { 'idempotency-key': key } });
    assert.is(answer.status, 400, key);
    assert.equal(paths(answer.text), ['header.idempotency-key']);
  }
});

test('what no store keeps is refused wherever it stands in a body, with its path', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const made = await gateway.call('/v1/campaigns', { as, body: campaign });
  const adSets = `/v1/campaigns/${JSON.parse(made.text).campaign.campaignId}/ad-sets`;
  const adSet = (bid: string) => `{"name":"Runners","settings":{"meta":{"bid":${bid}}}}`;
  const template = '/v1/notifications/templates/order-shipped/versions';
  const faulty: [string, string, string[]][] = [
    [adSets, adSet(String.raw`"\u0000"`), ['settings.meta.bid']],
    [adSets, adSet(String.raw`["\ud800"]`), ['settings.meta.bid.0']],
    [adSets, adSet(String.raw`{"\udfff":1}`), ['settings.meta.bid']],
    [adSets, adSet('1e400'), ['settings.meta.bid']],
    [adSets, adSet('['.repeat(9_000) + ']'.repeat(9_000)), ['settings.meta.bid.0.0.0.0.0']],
    ['/v1/affiliates/blog/links', String.raw`{"targetUrl":"https://shop.example/\u0000"}`, ['targetUrl']],
    [template, String.raw`{"subject":"\u0000","text":"\ud800","html":"\udc00"}`, ['subject', 'text', 'html']],
    ['/v1/webhooks/endpoints', String.raw`{"url":"https://hooks.example/","description":"\u0000"}`, ['description']],
  ];
  for (const [path, body, expected] of faulty) {
    const answer = await gateway.call(path, { as, method: 'POST', body });
    assert.is(answer.status, 400, `${path} ${body.slice(0, 100)}: ${answer.text}`);
    assert.equal(paths(answer.text), expected, path);
  }
  const escaped = await gateway.call(adSets, { as, method: 'POST', body: adSet(String.raw`"\u00fc \ud83d\ude00"`) });
  assert.is(escaped.status, 202, escaped.text);
});

test('one bad change refuses the whole delivery, with the paths of all faults', async () => {
  await using gateway = await startGateway();
  const good = { changeId: 'c-1', productId: 'p-1', operationType: 'create', timestamp: '2026-11-23T10:15:00.000Z' };
  const deep = JSON.parse(`${'{"a":'.repeat(100)}1${'}'.repeat(100)}`);
  const faulty: [string, unknown, string[]][] = [
    [
      'several changes',
      {
        merchantId: 'shop-1',
        changes: [
          good,
          { ...good, changeId: 'c-2', operationType: 'destroy' },
          { ...good, changeId: 'c-3', timestamp: 'yesterday', changedAttributes: { priceMinor: -1 } },
          { productId: 'p-1' },
          { ...good, changeId: 'c-4', timestamp: '9999-12-31T23:59:59-23:59' },
          { ...good, changeId: 'c-5', timestamp: '0000-01-01T00:00:00+23:59' },
        ],
      },
      [
        'changes.1.operationType',
        'changes.2.timestamp',
        'changes.2.changedAttributes.priceMinor',
        'changes.3.operationType',
        'changes.3.timestamp',
        'changes.3.changeId',
        'changes.4.timestamp',
        'changes.5.timestamp',
      ],
    ],
    ['a change id twice', { merchantId: 'shop-1', changes: [good, good] }, ['changes.1.changeId']],
    ['no changes', { merchantId: 'shop-1', changes: [] }, ['changes']],
    [
      'too many',
      { merchantId: 'shop-1', changes: Array.from({ length: 501 }, (_, n) => ({ ...good, changeId: `c-${n}` })) },
      ['changes'],
    ],
    ['no merchant', { changes: [good] }, ['merchantId']],
    ['a merchant id that breaks a line', { merchantId: 'a\nb', changes: [good] }, ['merchantId']],
    [
      'what a store cannot keep',
      {
        merchantId: 'shop-1',
        changes: [
          { ...good, changedAttributes: { title: 'a\0b', tags: ['ok', '\ud800'] } },
          { ...good, changeId: 'c-2', changedAttributes: deep },
        ],
      },
      [
        'changes.0.changedAttributes.title',
        'changes.0.changedAttributes.tags.1',
        `changes.1.changedAttributes${'.a'.repeat(6)}`,
      ],
    ],
    [
      'one too large for a message',
      { merchantId: 'shop-1', changes: [{ ...good, changedAttributes: { x: 'x'.repeat(1_046_000) } }] },
      ['changes.0'],
    ],
  ];
  for (const [what, body, expected] of faulty) {
    const answer = await gateway.call('/webhooks/core-platform/products', signed(body, gateway.clock.now()));
    assert.is(answer.status, 400, what);
    assert.equal(paths(answer.text), expected, what);
  }
  assert.equal(await gateway.world.postgres.db.selectFrom('outbox').selectAll().execute(), []);
});

test.run();
