import { z } from 'zod';
import type { AdAccounts } from './accounts.ts';
import { followAdObjects, recordAdObject, recordAdObjectFailure } from './ad-object-rows.ts';
import { campaignTag, taggedName } from './campaign-name.ts';
import { chooseOfTwins } from './campaign-effect.ts';
import type { NetworkEffect } from './effect.ts';
import { tellOwner } from '../notifications/events.ts';
import { tellApps } from '../webhooks/events.ts';
import type { EffectCall } from '../../events/destination.ts';
import { LanewayError } from '../../runtime/errors.ts';

const desiredAdObject = z.looseObject({
  kind: z.enum(['ad_set', 'ad']),
  objectId: z.string(),
  campaignId: z.string(),
  version: z.int(),
  parentId: z.string(),
  name: z.string(),
  state: z.enum(['active', 'paused', 'ended']),
  settings: z.record(z.string(), z.unknown()),
  /** What the network does not have so, when its name or anything of its settings is not as it was made there. */
  changed: z.record(z.string(), z.unknown()).optional(),
});
export type DesiredAdObject = z.infer<typeof desiredAdObject>;

const NEVER_MADE = 'never-made';

/** Makes an ad set or ad under what it belongs to, which the network has by then, or changes it to what is desired. */
export function createAdObjectEffect({ accounts }: { accounts: AdAccounts }): NetworkEffect {
  return {
    async send(network, call, signal) {
      const { kind, parentId, name, state, settings, changed } = desiredOf(call);
      const tag = tagOf(call);
      const account = await accounts.of(network, call.merchantId, signal);
      if (call.externalId !== undefined) {
        if (changed !== undefined && state !== 'ended') {
          const changes = { parentId, name: taggedName(name, tag), settings, changed };
          await network.adObjects.change(account, kind, call.externalId, changes, signal);
        }
        await network.adObjects.changeState(account, kind, call.externalId, state, signal);
        return { externalId: call.externalId, actual: { state } };
      }
      // It was ended before it could be made.
      if (state === 'ended') return { externalId: NEVER_MADE, actual: { state } };
      const fields = { parentId, name: taggedName(name, tag), tag, state, settings };
      const externalId = await network.adObjects.create(account, kind, fields, call.idempotencyKey, signal);
      return { externalId, actual: { state } };
    },

    async probe(network, call, signal) {
      const { kind, parentId } = desiredOf(call);
      const account = await accounts.of(network, call.merchantId, signal);
      const found = await network.adObjects.find(account, kind, { parentId, tag: tagOf(call) }, signal);
      const ours = chooseOfTwins(found, call.externalId);
      return ours && { externalId: ours.externalId, actual: { state: ours.state } };
    },

    // A look-up says nothing of name and settings, so that what changes of these is sent again.
    satisfies(call, { actual }) {
      const { state, changed } = desiredOf(call);
      return actual['state'] === state && (changed === undefined || state === 'ended');
    },

    async recordSuccess(trx, network, call, result, _, context) {
      const { campaignId, kind } = desiredOf(call);
      await recordAdObject(trx, call, desiredOf(call), network.id, result, context.now);
      const { merchantId } = call;
      if (kind === 'ad_set')
        await followAdObjects(trx, { merchantId, campaignIds: [campaignId], network: network.id }, context);
    },

    async recordFailure(trx, network, call, error, context) {
      const desired = desiredOf(call);
      const { kind, objectId, campaignId, name } = desired;
      const campaignName = await recordAdObjectFailure(trx, call, desired, network.id, error, context.now);
      if (campaignName === undefined) return;
      const at = new Date(context.now).toISOString();
      const about = kind === 'ad' ? { campaignId, adId: objectId } : { campaignId, adSetId: objectId };
      context.emit(tellApps(`${kind}.failed`, { ...about, adNetworkId: network.id, code: error.code }, at));
      const filling = { name, campaignName, network: network.id, reason: error.message };
      const template = kind === 'ad' ? 'ad-failed' : 'ad-set-failed';
      context.emit(tellOwner(template, `${objectId}:${network.id}:${call.version}`, filling, at));
    },
  };
}

const tagOf = ({ merchantId, objectKey }: EffectCall): string => campaignTag(merchantId, objectKey);

/** Nobody but us writes such intents, so one that cannot be read will not become readable. */
function desiredOf({ desired }: EffectCall): DesiredAdObject {
  const parsed = desiredAdObject.safeParse(desired);
  if (parsed.success) return parsed.data;
  throw new LanewayError('effect.rejected', 'the intent does not say what the ad set or ad should be', {
    cause: parsed.error,
  });
}
