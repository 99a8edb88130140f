import { z } from 'zod';
import { type AdObjectKind, type NetworkAdObjects, byCampaigns, only } from './ad-object-network.ts';
import { tagIn } from './campaign-name.ts';
import { notUnderstood } from './http.ts';
import type { AdAccount } from './network.ts';
import type { TiktokCalls } from './tiktok-audiences.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { readTiktokFigures, tiktokAdDay, tiktokReport } from './tiktok-figures.ts';

const operation = z.enum(['ENABLE', 'DISABLE', 'DELETE']);
const operations = { active: 'ENABLE', paused: 'DISABLE', ended: 'DELETE' } as const;
const states = { ENABLE: 'active', DISABLE: 'paused', DELETE: 'ended' } as const;
const anything = z.looseObject({});
const createdGroup = z.looseObject({ adgroup_id: z.string().min(1) });
const createdAds = z.looseObject({ ad_ids: z.array(z.string().min(1)) });
const said = { operation_status: operation, secondary_status: z.string().default('') };
const listedGroup = z
  .looseObject({ adgroup_id: z.string(), adgroup_name: z.string(), campaign_id: z.string(), ...said })
  .transform((row) => ({ ...row, id: row.adgroup_id, name: row.adgroup_name, parentId: row.campaign_id }));
const listedAd = z
  .looseObject({ ad_id: z.string(), ad_name: z.string(), adgroup_id: z.string(), ...said })
  .transform((row) => ({ ...row, id: row.ad_id, name: row.ad_name, parentId: row.adgroup_id }));
/** A bid counts only in a call that says its type too; without it TikTok leaves it as it was and says nothing. */
const boundToType = ['bid_price', 'conversion_bid_price'];
/** What calls are made with and listings have no word for. */
const unshown = ['request_id', 'operation_status'];
const paths = { ad_set: 'adgroup', ad: 'ad' } as const;

export function tiktokAdObjects(
  { post, all }: Pick<TiktokCalls, 'post' | 'all'>,
  requestIdOf: (requestKey: string) => string,
): NetworkAdObjects {
  const listed = async ({ accountId }: AdAccount, kind: AdObjectKind, filtering: object, signal: AbortSignal) => {
    const query = { advertiser_id: accountId, filtering };
    const rows =
      kind === 'ad_set'
        ? await all('adgroup/get', query, listedGroup, signal)
        : await all('ad/get', query, listedAd, signal);
    return rows.map(({ id, name, parentId, operation_status: status, secondary_status: secondary, ...row }) => {
      const state = secondary.endsWith('_DELETE') ? ('ended' as const) : states[status];
      return { externalId: id, name, parentId, state, row };
    });
  };

  return {
    async create({ accountId }, kind, { parentId, name, state, settings }, requestKey, signal) {
      const status = operations[state];
      if (kind === 'ad_set') {
        const own = { advertiser_id: accountId, campaign_id: parentId, adgroup_name: name, operation_status: status };
        const body = { ...settings, ...own, request_id: requestIdOf(requestKey) };
        return (await post('adgroup/create', body, createdGroup, signal)).adgroup_id;
      }
      const creatives = [{ ...settings, ad_name: name, operation_status: status }];
      const body = { advertiser_id: accountId, adgroup_id: parentId, creatives };
      const [id] = (await post('ad/create', body, createdAds, signal)).ad_ids;
      if (id === undefined) throw notUnderstood(true, new Error('no ad in the answer'));
      return id;
    },

    async change({ accountId }, kind, externalId, { parentId, name, settings, changed }, signal) {
      if (kind === 'ad_set') {
        const own = { advertiser_id: accountId, adgroup_id: externalId, adgroup_name: name };
        const bids = boundToType.some((name) => name in changed) ? only(['bid_type'], settings) : {};
        await post('adgroup/update', { ...bids, ...changed, ...own }, anything, signal);
        return;
      }
      // An ad is written as a whole.
      const creatives = [{ ...settings, ad_id: externalId, ad_name: name }];
      await post('ad/update', { advertiser_id: accountId, adgroup_id: parentId, creatives }, anything, signal);
    },

    async changeState(account, kind, externalId, state, signal) {
      const body = {
        advertiser_id: account.accountId,
        [`${paths[kind]}_ids`]: [externalId],
        operation_status: operations[state],
      };
      try {
        await post(`${paths[kind]}/status/update`, body, anything, signal);
      } catch (error) {
        // What was deleted before, or with what it belongs to, takes no status, not even this one.
        const refused = error instanceof LanewayError && error.code === 'effect.rejected';
        if (state !== 'ended' || !refused) throw error;
        const filtering = { [`${paths[kind]}_ids`]: [externalId], primary_status: 'STATUS_ALL' };
        const [held] = await listed(account, kind, filtering, signal);
        if (held?.state !== 'ended') throw error;
      }
    },

    async find(account, kind, { parentId, tag }, signal) {
      const parent = kind === 'ad_set' ? 'campaign_ids' : 'adgroup_ids';
      const filtering = { [parent]: [parentId], primary_status: 'STATUS_ALL' };
      const rows = await listed(account, kind, filtering, signal);
      return rows.filter(({ name }) => name.includes(tag)).map(({ externalId, state }) => ({ externalId, state }));
    },

    report: ({ accountId }, range, campaignIds, signal) =>
      byCampaigns(campaignIds, async (ids) => {
        const filtering = [{ field_name: 'campaign_ids', filter_type: 'IN', filter_value: JSON.stringify(ids) }];
        const query = { ...tiktokReport(accountId, 'ad', range), filtering };
        const rows = await all('report/integrated/get', query, tiktokAdDay, signal);
        return rows.map((row) => ({ externalId: row.dimensions.ad_id, ...readTiktokFigures(row) }));
      }),

    comparable: (_, settings) =>
      only(
        Object.keys(settings).filter((name) => !unshown.includes(name)),
        settings,
      ),

    list: (account, kind, { campaignIds, settingNames }, signal) =>
      byCampaigns(campaignIds, async (ids) => {
        const filtering = { campaign_ids: ids, primary_status: 'STATUS_NOT_DELETE' };
        const rows = await listed(account, kind, filtering, signal);
        return rows.flatMap(({ row, ...each }) =>
          // It shows everything that it has a word for; what a row leaves out may be something that no row shows.
          each.state === 'ended' ? [] : { ...each, tag: tagIn(each.name), settings: only(settingNames, row) },
        );
      }),
  };
}
