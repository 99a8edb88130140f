// test-stack
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { setUpNetwork } from './testing/network-world.ts';
import type { EffectContext } from '../../events/destination.ts';
import type { Emission } from '../../events/handler.ts';
import { LanewayError } from '../../runtime/errors.ts';

test('owners and their apps are told of an ad set or ad that is given up, unless something newer is desired by then', async () => {
  await using s = await setUpNetwork();
  await s.addCampaign('cmp-1');
  await s.addAdObjects('cmp-1', [{ objectId: 'set-1' }, { objectId: 'ad-1', adSetId: 'set-1' }]);
  await s.carryOutOpen();
  const now = Date.parse('2026-11-23T12:00:00.000Z');
  const giveUp = async (objectKey: string, version: number): Promise<Emission[]> => {
    const emissions: Emission[] = [];
    const emit = (emission: Emission) => void emissions.push(emission);
    const context: EffectContext = { now, emit, intend: () => undefined };
    const [kind, objectId] = objectKey.split(':');
    const desired = { kind, objectId, campaignId: 'cmp-1', version, parentId: '7', name: 'Germany', state: 'active' };
    const call = s.callOf({ objectKey, version: 5, desired: { ...desired, settings: {} } });
    const error = new LanewayError('effect.rejected', 'no targeting', { retry: 'never' });
    await s.db.transaction().execute((trx) => s.driver.recordFailure(trx, call, error, context));
    return emissions;
  };
  const stateOf = async (objectId: string) => {
    const rows = await s.db
      .selectFrom('ad_object_network_states')
      .selectAll()
      .where('object_id', '=', objectId)
      .execute();
    return rows.map(({ status, error_code: code, error_message: message }) => [status, code, message]);
  };
  assert.equal(await giveUp('ad_set:set-1', 9), []);
  assert.equal(await stateOf('set-1'), [['live', null, null]]);
  assert.equal(await giveUp('ad_set:set-1', 1), [
    {
      eventType: 'ThirdPartyAppWebhookEvent',
      payload: {
        webhookType: 'ad_set.failed',
        timestamp: '2026-11-23T12:00:00.000Z',
        data: { campaignId: 'cmp-1', adSetId: 'set-1', adNetworkId: 'meta', code: 'effect.rejected' },
      },
    },
    {
      eventType: 'NotificationDispatchRequestedEvent',
      payload: {
        recipientId: 'owner',
        channel: 'in_app',
        templateId: 'ad-set-failed',
        payloadForTemplate: {
          ...{ name: 'Germany', campaignName: 'Sale cmp-1', network: 'meta', reason: 'no targeting' },
        },
        timestamp: '2026-11-23T12:00:00.000Z',
        idempotencyKey: 'ad-set-failed:set-1:meta:5',
      },
    },
  ]);
  assert.equal(await stateOf('set-1'), [['failed', 'effect.rejected', 'no targeting']]);
  const ad = await giveUp('ad:ad-1', 1);
  assert.equal(
    ad.map(({ payload }) => [payload['webhookType'], payload['data'], payload['idempotencyKey']]),
    [
      ['ad.failed', { campaignId: 'cmp-1', adId: 'ad-1', adNetworkId: 'meta', code: 'effect.rejected' }, undefined],
      [undefined, undefined, 'ad-failed:ad-1:meta:5'],
    ],
  );
});

test('what is changed is told once, all of what was not told yet, also where a change overtakes the making', async () => {
  await using s = await setUpNetwork();
  await s.addCampaign('cmp-1');
  await s.addAdObjects('cmp-1', [{ objectId: 'set-1' }]);
  const change = async (version: number, name: string, more: Record<string, unknown>) => {
    const row = await s.db.selectFrom('ad_objects').selectAll().executeTakeFirstOrThrow();
    const settings = JSON.stringify({ meta: { ...row.settings.meta, ...more } });
    await s.db.updateTable('ad_objects').set({ version, name, settings }).execute();
    await s.follow('cmp-1');
    return (await intentOf()).desired['changed'];
  };
  const intentOf = async () => {
    const intent = (await s.intents()).find(({ objectKey }) => objectKey === 'ad_set:set-1');
    assert.ok(intent !== undefined);
    return intent;
  };
  const held = async () => (await s.db.selectFrom('ad_object_network_states').selectAll().executeTakeFirst())?.held;
  const first = { targeting: {}, billing_event: 'IMPRESSIONS', optimization_goal: 'REACH', creative: {} };
  // Its making has no answer yet.
  assert.equal(await change(2, 'Germany', { bid_amount: 250 }), { bid_amount: 250 });
  assert.equal(await held(), { name: 'Name of set-1', settings: first });
  const more = { bid_amount: 260, targeting: { geo: 1 } };
  assert.equal(await change(3, 'Germany', more), more);
  const made = async () => {
    const campaign = (await s.db.selectFrom('campaign_network_states').selectAll().executeTakeFirst())?.external_id;
    const listed = await s.meta.adObjects.list(
      s.account,
      'ad_set',
      { campaignIds: [campaign ?? ''], settingNames: [] },
      s.signal(),
    );
    return listed.map(({ name, state }) => `${name?.split(' (')[0]} ${state}`);
  };
  assert.equal(await s.carryOutOpen(), ['ad_set:set-1 new']);
  assert.equal(
    [await held(), await made()],
    [{ name: 'Germany', settings: { ...first, ...more } }, ['Germany active']],
  );
  assert.is(await change(4, 'Germany', {}), undefined);
  await s.carryOutOpen();
  assert.equal(await change(5, 'Austria', {}), {});
  assert.equal(await s.carryOutOpen(), ['ad_set:set-1 held']);
  assert.equal(await made(), ['Austria active']);
  // Given up, it stays untold.
  assert.equal(await change(6, 'Austria', { bid_amount: 300 }), { bid_amount: 300 });
  assert.equal(await change(7, 'Austria', { pacing: 'day' }), { bid_amount: 300, pacing: 'day' });
  const { desired } = await intentOf();
  const found = { externalId: '1', actual: { state: 'active' } };
  assert.not.ok(s.driver.satisfies(s.callOf({ desired }), found), 'a look-up says nothing of settings');
  assert.ok(s.driver.satisfies(s.callOf({ desired: { ...desired, changed: undefined } }), found));
});

test.run();
