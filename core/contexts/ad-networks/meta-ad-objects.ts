import { z } from 'zod';
import { type AdObjectKind, type NetworkAdObjects, byCampaigns, only } from './ad-object-network.ts';
import { tagIn } from './campaign-name.ts';
import { notUnderstood } from './http.ts';
import { metaFigures, metaInsights, readMetaFigures } from './meta-figures.ts';
import { type MetaCalls, metaStates, metaStatuses } from './meta-calls.ts';

const created = z.looseObject({ id: z.string().min(1) });
const listed = z.looseObject({ id: z.string(), status: z.enum(['ACTIVE', 'PAUSED', 'ARCHIVED', 'DELETED']) });
const shown = listed.extend({
  name: z.string(),
  campaign_id: z.string().optional(),
  adset_id: z.string().optional(),
});
const adDay = metaFigures.extend({ ad_id: z.string() });
const inCampaigns = (ids: readonly string[]) => ({ field: 'campaign.id', operator: 'IN', value: ids });
const collections = { ad_set: 'adsets', ad: 'ads' } as const;
const parents = { ad_set: 'campaign_id', ad: 'adset_id' } as const;
/** Fields that can be read as they are written, but for numbers that are read as text and what Meta adds by itself. */
const readable: Readonly<Record<AdObjectKind, readonly string[]>> = {
  ad_set: [
    ...['targeting', 'billing_event', 'optimization_goal', 'bid_amount', 'bid_strategy', 'bid_constraints'],
    ...['daily_budget', 'lifetime_budget', 'attribution_spec', 'promoted_object', 'destination_type', 'pacing_type'],
    ...['frequency_control_specs', 'daily_min_spend_target', 'daily_spend_cap', 'dsa_beneficiary', 'dsa_payor'],
  ],
  ad: ['creative', 'conversion_domain'],
};
const creativeById = z.looseObject({ creative_id: z.string() });

/** Archived ones are shown only to whoever asks for them. */
const everyStatus = [
  'ACTIVE',
  'PAUSED',
  'ARCHIVED',
  'IN_PROCESS',
  'WITH_ISSUES',
  'CAMPAIGN_PAUSED',
  'ADSET_PAUSED',
  'PENDING_REVIEW',
  'DISAPPROVED',
];

export function metaAdObjects({ call, all }: MetaCalls): NetworkAdObjects {
  return {
    async create({ accountId }, kind, { parentId, name, state, settings }, _, signal) {
      const body = { ...settings, name, status: metaStatuses[state], [parents[kind]]: parentId };
      const answer = await call({ method: 'POST', path: `act_${accountId}/${collections[kind]}`, body }, signal);
      const made = created.safeParse(answer);
      if (!made.success) throw notUnderstood(true, made.error);
      return made.data.id;
    },

    async change(_, __, externalId, { name, changed }, signal) {
      await call({ method: 'POST', path: externalId, body: { ...changed, name } }, signal);
    },

    async changeState(_, __, externalId, state, signal) {
      await call({ method: 'POST', path: externalId, body: { status: metaStatuses[state] } }, signal);
    },

    async find({ accountId }, kind, { tag }, signal) {
      const filtering = [
        { field: 'name', operator: 'CONTAIN', value: tag },
        { field: 'effective_status', operator: 'IN', value: everyStatus },
      ];
      const query = { fields: 'id,status', filtering: JSON.stringify(filtering) };
      const rows = await all(`act_${accountId}/${collections[kind]}`, query, signal);
      return rows.map((row) => {
        const found = listed.safeParse(row);
        if (!found.success) throw notUnderstood(false, found.error);
        return { externalId: found.data.id, state: metaStates[found.data.status] };
      });
    },

    report: ({ accountId }, range, campaignIds, signal) =>
      byCampaigns(campaignIds, async (ids) => {
        const query = { ...metaInsights('ad', range), filtering: JSON.stringify([inCampaigns(ids)]) };
        const rows = await all(`act_${accountId}/insights`, query, signal);
        return rows.map((row) => {
          const day = adDay.safeParse(row);
          if (!day.success) throw notUnderstood(false, day.error);
          return { externalId: day.data.ad_id, ...readMetaFigures(day.data) };
        });
      }),

    comparable(kind, settings) {
      const { creative, ...rest } = only(readable[kind], settings);
      // A creative is shown by its id, so that one which is described in the call cannot be told from another.
      const named = creativeById.safeParse(creative).data;
      return named === undefined ? rest : { ...rest, creative: { id: named.creative_id } };
    },

    list: ({ accountId }, kind, { campaignIds, settingNames }, signal) =>
      byCampaigns(campaignIds, async (ids) => {
        const filtering = JSON.stringify([inCampaigns(ids)]);
        const asked = readable[kind].filter((name) => settingNames.includes(name));
        const query = { fields: ['id', 'name', 'status', parents[kind], ...asked].join(','), filtering };
        const rows = await all(`act_${accountId}/${collections[kind]}`, query, signal);
        return rows.flatMap((row) => {
          const found = shown.safeParse(row);
          if (!found.success) throw notUnderstood(false, found.error);
          const { id, name, status } = found.data;
          const parentId = found.data[parents[kind]];
          if (parentId === undefined) throw notUnderstood(false, new Error(`no ${parents[kind]} of ${id}`));
          const state = metaStates[status];
          if (state === 'ended') return [];
          const settings = Object.fromEntries(asked.map((field) => [field, found.data[field] ?? null]));
          return [{ externalId: id, parentId, name, tag: tagIn(name), state, settings }];
        });
      }),
  };
}
