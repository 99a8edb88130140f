import type { HttpBindings } from '@hono/node-server';
import type { Hono } from 'hono';
import { z } from 'zod';
import { type ObjectStore, type Owner, type StoredObject, lineageOf, settingsChange, textOf } from './object-store.ts';
import { type TiktokCall, answer, ok, operationOf, page, pageOf } from './tiktok-answers.ts';

const name = z.string().min(1).max(512);
const adGroupName = name.refine((text) => !/\p{Extended_Pictographic}/u.test(text), { error: 'cannot contain emoji' });
const adGroupCreation = z.looseObject({
  advertiser_id: z.string(),
  campaign_id: z.string(),
  adgroup_name: adGroupName,
  operation_status: z.enum(['ENABLE', 'DISABLE']).default('ENABLE'),
  request_id: z.string().optional(),
});
const adCreation = z.looseObject({
  advertiser_id: z.string(),
  adgroup_id: z.string(),
  creatives: z
    .array(z.looseObject({ ad_name: name, operation_status: z.enum(['ENABLE', 'DISABLE']).default('ENABLE') }))
    .length(1),
});

const adGroupChange = z.looseObject({
  advertiser_id: z.string(),
  adgroup_id: z.string(),
  adgroup_name: adGroupName.optional(),
});
const adChange = z.looseObject({
  advertiser_id: z.string(),
  adgroup_id: z.string(),
  creatives: z.array(z.looseObject({ ad_id: z.string(), ad_name: name })).length(1),
});

/** A bid without its type is left out, and nobody is told. */
const withoutUntypedBids = (settings: Record<string, unknown>): Record<string, unknown> =>
  settings['bid_type'] === 'BID_TYPE_CUSTOM'
    ? settings
    : Object.fromEntries(Object.entries(settings).filter(([field]) => !/^(conversion_)?bid_price$/.test(field)));

/** Ad groups and ads. */
export function addTiktokAds(
  api: Hono<{ Bindings: HttpBindings }>,
  parts: {
    store: ObjectStore;
    call: TiktokCall;
    /** Creates once for each request id that is still remembered. */
    once: (owner: Owner, requestId: string | undefined, create: () => StoredObject) => StoredObject;
  },
): void {
  const { store, call, once } = parts;
  api.post('/adgroup/create/', (c) =>
    call(c, adGroupCreation, (owner, wanted) => {
      const { campaign_id: parentId, adgroup_name: called, operation_status: operation, ...rest } = wanted;
      if (store.get(owner, parentId) === undefined) return answer(40_002, 'campaign_id: does not exist.');
      const { advertiser_id: _, request_id: requestId, ...settings } = rest;
      const fields = {
        name: called,
        status: operation === 'ENABLE' ? 'ACTIVE' : 'PAUSED',
        parentId,
        settings: withoutUntypedBids(settings),
      };
      return ok({ adgroup_id: once(owner, requestId, () => store.create(owner, 'ad_set', fields)).id });
    }),
  );
  const changeObject = (
    owner: Owner,
    id: string,
    parentId: string | undefined,
    called: string | undefined,
    settings: Record<string, unknown>,
    said: Record<string, unknown>,
  ) => {
    const found = store.get(owner, id);
    if (found === undefined || (parentId !== undefined && textOf(found, 'parentId') !== parentId))
      return answer(40_002, `${id}: does not exist.`);
    if (lineageOf(store, found).some((of) => textOf(of, 'status') === 'ENDED'))
      return answer(40_002, 'It has been deleted.');
    store.update(owner, id, {
      ...(called === undefined ? {} : { name: called }),
      ...settingsChange(found, settings),
    });
    return ok(said);
  };
  api.post('/adgroup/update/', (c) =>
    call(c, adGroupChange, (owner, { adgroup_id: id, adgroup_name: called, ...wanted }) => {
      const settings = Object.entries(wanted).filter(([field]) => field !== 'advertiser_id');
      const given = withoutUntypedBids(Object.fromEntries(settings));
      return changeObject(owner, id, undefined, called, given, { adgroup_id: id, adgroup_name: called });
    }),
  );
  api.post('/ad/update/', (c) =>
    call(c, adChange, (owner, { adgroup_id: parentId, creatives: [creative] }) => {
      const { ad_id: id = '', ad_name: called, ...settings } = creative ?? {};
      const said = { ad_ids: [id], creatives: [{ ...settings, ad_id: id, ad_name: called }] };
      return changeObject(owner, id, parentId, called, settings, said);
    }),
  );
  api.post('/ad/create/', (c) =>
    call(c, adCreation, (owner, wanted) => {
      if (store.get(owner, wanted.adgroup_id) === undefined) return answer(40_002, 'adgroup_id: does not exist.');
      const parentId = wanted.adgroup_id;
      const ids = wanted.creatives.map(({ ad_name: called, operation_status: operation, ...settings }) => {
        const status = operation === 'ENABLE' ? 'ACTIVE' : 'PAUSED';
        return store.create(owner, 'ad', { name: called, status, parentId, settings }).id;
      });
      return ok({ ad_ids: ids });
    }),
  );

  const heldSettings = z.record(z.string(), z.unknown()).catch({});
  const filteredIds = z.array(z.string()).min(1).max(100).optional();
  const objectFilter = z.looseObject({
    campaign_ids: filteredIds,
    adgroup_ids: filteredIds,
    ad_ids: filteredIds,
    primary_status: z.string().default('STATUS_NOT_DELETE'),
  });
  for (const [path, kind, idField, nameField] of [
    ['/adgroup/get/', 'ad_set', 'adgroup_id', 'adgroup_name'],
    ['/ad/get/', 'ad', 'ad_id', 'ad_name'],
  ] as const)
    api.get(path, (c) =>
      call(c, page, (owner, { filtering = '{}', page: at, page_size: size }) => {
        const parsed = objectFilter.safeParse(JSON.parse(filtering));
        if (!parsed.success) return answer(40_002, z.prettifyError(parsed.error));
        const filter = parsed.data;
        const found = store.list(owner, kind).flatMap((each) => {
          const lineage = lineageOf(store, each);
          const idOf = (wanted: string) => lineage.find((of) => of.kind === wanted)?.id ?? '';
          const [campaignId, groupId] = [idOf('campaign'), idOf('ad_set')];
          const deleted = lineage.some((of) => textOf(of, 'status') === 'ENDED');
          const isWanted =
            filter.campaign_ids?.includes(campaignId) !== false &&
            filter.adgroup_ids?.includes(groupId) !== false &&
            filter.ad_ids?.includes(each.id) !== false &&
            // Deleted ones, and what belongs to them, are shown only to whoever asks for all.
            (filter.primary_status === 'STATUS_ALL' || !deleted);
          if (!isWanted) return [];
          const word = kind === 'ad' ? 'AD' : 'ADGROUP';
          return {
            ...heldSettings.parse(each.fields['settings']),
            campaign_id: campaignId,
            adgroup_id: groupId,
            [idField]: each.id,
            [nameField]: textOf(each, 'name'),
            operation_status: operationOf[textOf(each, 'status')],
            secondary_status: `${word}_STATUS_${deleted ? 'DELETE' : 'DELIVERY_OK'}`,
          };
        });
        return ok(pageOf(found, at, size));
      }),
    );
}
