import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startGateway } from '../testing/start-gateway.ts';

const wanted = { name: 'Winter sale', adNetworkIds: ['meta'], dailyBudgetMinor: 5_000, currency: 'EUR' };

test('a campaign is changed, scheduled and archived through the API, and each answer says what became of it', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const send = async (method: string, path: string, body: unknown) => {
    const answer = await gateway.call(path, { as, method, body });
    return { status: answer.status, body: JSON.parse(answer.text) };
  };
  const startAt = new Date(gateway.clock.now() + 86_400_000).toISOString();
  const created = await send('POST', '/v1/campaigns', { ...wanted, startAt });
  assert.equal([created.status, created.body.campaign.state, created.body.campaign.startAt], [201, 'pending', startAt]);
  const path = `/v1/campaigns/${created.body.campaign.campaignId}`;
  const renamed = await send('PATCH', path, { name: 'Spring sale' });
  assert.equal([renamed.status, renamed.body.campaign.name], [200, 'Spring sale']);
  assert.is((await send('POST', `${path}/state`, { state: 'active' })).status, 202);
  const dearer = await send('PATCH', path, { dailyBudgetMinor: 6_000, startAt: null });
  assert.equal([dearer.status, typeof dearer.body.operation.id], [202, 'string']);
  assert.is((await send('PATCH', path, {})).status, 400);
  const past = await send('PATCH', path, { endAt: '2020-01-01T00:00:00Z' });
  assert.equal([past.status, past.body.code], [400, 'campaigns.schedule_invalid']);
  assert.is((await send('POST', `${path}/state`, { state: 'archived' })).status, 409);
  assert.is((await send('POST', `${path}/state`, { state: 'ended' })).status, 202);
  const archived = await send('POST', `${path}/state`, { state: 'archived' });
  assert.equal([archived.status, archived.body.campaign.state], [200, 'archived']);
  assert.is((await send('PATCH', '/v1/campaigns/cmp-none', { name: 'x' })).status, 404);
  assert.is((await send('POST', `${path}/approval`, { approve: true })).status, 409);
});

test('whether campaigns need approval is a setting of the merchant', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const other = await gateway.addMerchant('shop-2');
  const read = async (key: string) => JSON.parse((await gateway.call('/v1/campaign-settings', { as: key })).text);
  assert.equal(await read(as), { approvalRequired: false });
  const written = await gateway.call('/v1/campaign-settings', { as, method: 'PUT', body: { approvalRequired: true } });
  assert.is(written.status, 200);
  assert.equal([await read(as), await read(other)], [{ approvalRequired: true }, { approvalRequired: false }]);
});

test.run();
