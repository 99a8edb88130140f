import { z } from 'zod';
import {
  type AdObjectKind,
  type ListedAdObject,
  type NetworkAdObjects,
  byCampaigns,
  only,
} from './ad-object-network.ts';
import { tagIn } from './campaign-name.ts';
import type { GoogleCalls } from './google-audiences.ts';
import { googleMask } from './google-mask.ts';
import { GOOGLE_FIGURES, googleDays, googleFigures, readGoogleFigures } from './google-figures.ts';
import { notUnderstood } from './http.ts';
import type { AdAccount } from './network.ts';
import { LanewayError } from '../../runtime/errors.ts';

const status = z.enum(['ENABLED', 'PAUSED', 'REMOVED']);
const statuses = { active: 'ENABLED', paused: 'PAUSED' } as const;
const states = { ENABLED: 'active', PAUSED: 'paused', REMOVED: 'ended' } as const;
const named = z.looseObject({ resourceName: z.string() });
const mutated = z.looseObject({ adGroupResult: named.optional(), adGroupAdResult: named.optional() });
const groupRow = z.looseObject({ adGroup: z.looseObject({ id: z.string(), status }) });
const adRow = z.looseObject({ adGroupAd: z.looseObject({ resourceName: z.string(), status }) });

const listedGroup = z.looseObject({
  adGroup: z.looseObject({ id: z.string(), name: z.string(), status }),
  campaign: z.looseObject({ id: z.string() }),
});
const listedAd = z.looseObject({
  adGroupAd: z.looseObject({
    resourceName: z.string(),
    status,
    ad: z.looseObject({ finalUrlSuffix: z.string().default('') }).prefault({}),
  }),
  adGroup: z.looseObject({ id: z.string() }),
});

const adDay = googleFigures.extend({ adGroupAd: z.looseObject({ resourceName: z.string() }) });

const collections = { ad_set: 'adGroups', ad: 'adGroupAds' } as const;
const operations = { ad_set: 'adGroupOperation', ad: 'adGroupAdOperation' } as const;

/** Fields that can be selected, by the settings that they are of: one that is not known would make the whole query fail. */
const selectable: Readonly<Record<AdObjectKind, Readonly<Record<string, readonly string[]>>>> = {
  ad_set: {
    type: ['type'],
    cpcBidMicros: ['cpc_bid_micros'],
    cpmBidMicros: ['cpm_bid_micros'],
    cpvBidMicros: ['cpv_bid_micros'],
    percentCpcBidMicros: ['percent_cpc_bid_micros'],
    targetCpaMicros: ['target_cpa_micros'],
    targetCpmMicros: ['target_cpm_micros'],
    targetRoas: ['target_roas'],
    adRotationMode: ['ad_rotation_mode'],
    trackingUrlTemplate: ['tracking_url_template'],
    finalUrlSuffix: ['final_url_suffix'],
  },
  ad: {
    finalUrls: ['final_urls'],
    finalMobileUrls: ['final_mobile_urls'],
    trackingUrlTemplate: ['tracking_url_template'],
    displayUrl: ['display_url'],
    responsiveSearchAd: ['headlines', 'descriptions', 'path1', 'path2'].map((field) => `responsive_search_ad.${field}`),
  },
};
const resources = { ad_set: 'ad_group', ad: 'ad_group_ad.ad' } as const;

/** Most kinds of ads have no name, so that an ad is found by the suffix of its URL, which reports of the shop show too. */
const suffixOf = (tag: string): string => `lw_ad=${tag}`;
const tagInSuffix = (suffix: string): string | undefined => /^lw_ad=(lw-[0-9a-f]{20})$/.exec(suffix)?.[1];

/** An ad is called by its ad group too: `123~456`. */
export function googleAdObjects({ query, mutate }: Pick<GoogleCalls, 'query' | 'mutate'>): NetworkAdObjects {
  const change = (
    { accountId }: AdAccount,
    kind: AdObjectKind,
    operation: object,
    signal: AbortSignal,
  ): Promise<unknown[]> => mutate(accountId, [{ [operations[kind]]: operation }], signal);

  const find: NetworkAdObjects['find'] = async (account, kind, { parentId, tag }, signal) => {
    if (kind === 'ad_set') {
      const where = `campaign.id = ${parentId} AND ad_group.name LIKE '%${tag}%'`;
      const gaql = `SELECT ad_group.id, ad_group.status FROM ad_group WHERE ${where}`;
      return (await query(account.accountId, gaql, signal)).map((row) => {
        const { adGroup } = parse(groupRow, row);
        return { externalId: adGroup.id, state: states[adGroup.status] };
      });
    }
    const where = `ad_group.id = ${parentId} AND ad_group_ad.ad.final_url_suffix = '${suffixOf(tag)}'`;
    const gaql = `SELECT ad_group_ad.resource_name, ad_group_ad.status FROM ad_group_ad WHERE ${where}`;
    return (await query(account.accountId, gaql, signal)).map((row) => {
      const { adGroupAd } = parse(adRow, row);
      return { externalId: lastOf(adGroupAd.resourceName), state: states[adGroupAd.status] };
    });
  };

  return {
    find,

    comparable: (kind, settings) => only(Object.keys(selectable[kind]), settings),

    list: (account, kind, { campaignIds, settingNames }, signal) =>
      byCampaigns<ListedAdObject>(campaignIds, async (ids) => {
        const asked = Object.entries(selectable[kind]).filter(([name]) => settingNames.includes(name));
        const more = asked.flatMap(([, fields]) => fields.map((field) => `, ${resources[kind]}.${field}`)).join('');
        const shown = (of: Record<string, unknown>) =>
          Object.fromEntries(asked.map(([name]) => [name, of[name] ?? null]));
        const within = `campaign.id IN (${ids.join(', ')}) AND ad_group.status != 'REMOVED'`;
        if (kind === 'ad_set') {
          const gaql = `SELECT ad_group.id, ad_group.name, ad_group.status, campaign.id${more} FROM ad_group WHERE ${within}`;
          return (await query(account.accountId, gaql, signal)).map((row) => {
            const { adGroup, campaign } = parse(listedGroup, row);
            const { id, name, status: held } = adGroup;
            const settings = shown(adGroup);
            return { externalId: id, parentId: campaign.id, name, tag: tagIn(name), state: states[held], settings };
          });
        }
        const fields =
          'ad_group_ad.resource_name, ad_group_ad.status, ad_group_ad.ad.final_url_suffix, ad_group.id, ad_group.status';
        const gaql = `SELECT ${fields}${more} FROM ad_group_ad WHERE ${within} AND ad_group_ad.status != 'REMOVED'`;
        return (await query(account.accountId, gaql, signal)).map((row) => {
          const { adGroupAd, adGroup } = parse(listedAd, row);
          const { resourceName, status: held, ad } = adGroupAd;
          const of = { externalId: lastOf(resourceName), parentId: adGroup.id, name: undefined };
          return { ...of, tag: tagInSuffix(ad.finalUrlSuffix), state: states[held], settings: shown(ad) };
        });
      }),

    report: (account, range, campaignIds, signal) =>
      byCampaigns(campaignIds, async (ids) => {
        const where = `campaign.id IN (${ids.join(', ')}) AND ${googleDays(range)}`;
        const gaql = `SELECT ad_group_ad.resource_name, ${GOOGLE_FIGURES} FROM ad_group_ad WHERE ${where}`;
        return (await query(account.accountId, gaql, signal)).map((row) => {
          const day = parse(adDay, row);
          return { externalId: lastOf(day.adGroupAd.resourceName), ...readGoogleFigures(day) };
        });
      }),

    async create(account, kind, { parentId, name, tag, state, settings }, _, signal) {
      const parent = `customers/${account.accountId}/${kind === 'ad' ? 'adGroups' : 'campaigns'}/${parentId}`;
      const create =
        kind === 'ad'
          ? { adGroup: parent, status: statuses[state], ad: { ...settings, finalUrlSuffix: suffixOf(tag) } }
          : { type: 'SEARCH_STANDARD', ...settings, campaign: parent, status: statuses[state], name };
      const [answer] = await change(account, kind, { create }, signal);
      const made = mutated.safeParse(answer);
      const resource = made.data?.adGroupResult ?? made.data?.adGroupAdResult;
      if (resource === undefined) throw notUnderstood(true, made.error ?? new Error('no resource name'));
      return lastOf(resource.resourceName);
    },

    async change(account, kind, externalId, { name, changed }, signal) {
      if (kind === 'ad') {
        // Its place in an ad group has no content: that is the ad's, which is called by its own number.
        if (Object.keys(changed).length === 0) return;
        const resourceName = `customers/${account.accountId}/ads/${externalId.slice(externalId.indexOf('~') + 1)}`;
        const adOperation = { update: { ...changed, resourceName }, updateMask: googleMask(changed) };
        await mutate(account.accountId, [{ adOperation }], signal);
        return;
      }
      const resourceName = `customers/${account.accountId}/adGroups/${externalId}`;
      const update = { ...changed, name };
      await change(account, kind, { update: { ...update, resourceName }, updateMask: googleMask(update) }, signal);
    },

    async changeState(account, kind, externalId, state, signal) {
      const resourceName = `customers/${account.accountId}/${collections[kind]}/${externalId}`;
      if (state !== 'ended') {
        const operation = { update: { resourceName, status: statuses[state] }, updateMask: 'status' };
        await change(account, kind, operation, signal);
        return;
      }
      try {
        await change(account, kind, { remove: resourceName }, signal);
      } catch (error) {
        // It was removed before.
        if (error instanceof LanewayError && error.message.includes('FOR_REMOVED_RESOURCE')) return;
        throw error;
      }
    },
  };
}

const lastOf = (resourceName: string): string => resourceName.slice(resourceName.lastIndexOf('/') + 1);

function parse<T>(schema: z.ZodType<T>, row: unknown): T {
  const parsed = schema.safeParse(row);
  if (parsed.success) return parsed.data;
  throw notUnderstood(false, parsed.error);
}
