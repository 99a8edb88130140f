import { z } from 'zod';
import { digitsOf } from './accounts.ts';
import type { GoogleAdsFault } from './google-ads-errors.ts';
import { wrongMask } from './google-ads-fields.ts';
import {
  type ObjectKind,
  type ObjectStore,
  type Owner,
  type StoredObject,
  settingsChange,
  textOf,
} from './object-store.ts';

const text = z.string().min(1);
const status = z.enum(['ENABLED', 'PAUSED', 'REMOVED']);
const micros = z.string().regex(/^\d+$/);
const dateTime = z.string().regex(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);

const budget = z.looseObject({ resourceName: text, name: text.optional(), amountMicros: micros.optional() });
const campaign = z.looseObject({
  resourceName: text.optional(),
  name: text.max(256).optional(),
  status: status.optional(),
  campaignBudget: text.optional(),
  startDateTime: dateTime.optional(),
  endDateTime: dateTime.optional(),
});
const adGroup = z.looseObject({
  resourceName: text.optional(),
  name: text.optional(),
  status: status.optional(),
  campaign: text.optional(),
});
const adGroupAd = z.looseObject({
  resourceName: text.optional(),
  status: status.optional(),
  adGroup: text.optional(),
  ad: z
    .looseObject({ name: text.optional(), finalUrls: z.array(z.url()).optional(), finalUrlSuffix: text.optional() })
    .optional(),
});
const ad = z.looseObject({ resourceName: text, finalUrls: z.array(z.url()).optional() });
const userList = z.looseObject({ resourceName: text.optional(), name: text, membershipLifeSpan: z.int().max(540) });
const operationOf = <T extends z.ZodType>(resource: T) =>
  z.looseObject({
    create: resource.optional(),
    update: resource.optional(),
    updateMask: z.string().optional(),
    remove: text.optional(),
  });

export const mutateOperation = z
  .strictObject({
    campaignBudgetOperation: operationOf(budget),
    campaignOperation: operationOf(campaign),
    adGroupOperation: operationOf(adGroup),
    adGroupAdOperation: operationOf(adGroupAd),
    adOperation: operationOf(ad),
    userListOperation: operationOf(userList),
  })
  .partial();
export type MutateOperation = z.infer<typeof mutateOperation>;

export const mutateRequest = z.looseObject({
  mutateOperations: z.array(mutateOperation).min(1).max(10_000),
  partialFailure: z.boolean().default(false),
  validateOnly: z.boolean().default(false),
});

/** What an operation will do, once every operation of its request is known to be good. */
export type Planned = { fault: GoogleAdsFault } | { apply: () => Record<string, unknown> };

export interface MutateOptions {
  /** Whether a removed campaign still keeps its name to itself. */
  readonly removedNamesClash: boolean;
}

const fault = (operation: number, family: string, code: string, message: string): { fault: GoogleAdsFault } => ({
  fault: { errorCode: { [family]: code }, message, operation },
});

/** Plans the operations in order: temporary names (negative ids) are known to the operations behind them. */
export function planMutate(
  store: ObjectStore,
  owner: Owner,
  currency: string,
  operations: readonly MutateOperation[],
  { removedNamesClash }: MutateOptions,
): Planned[] {
  const minorOf = (amountMicros: string): number => Math.round(Number(amountMicros) / 10 ** (6 - digitsOf(currency)));
  const temporary = new Map<string, { minor: number }>();
  const name = (collection: string, id: string) => `customers/${owner.account}/${collection}/${id}`;
  const find = (resourceName: string | undefined, kind: ObjectKind): StoredObject | undefined => {
    const found = store.get(owner, /\/(\d+)$/.exec(resourceName ?? '')?.[1] ?? '');
    return found?.kind === kind ? found : undefined;
  };

  return operations.map((operation, at): Planned => {
    for (const each of Object.values(operation)) {
      const wrong = wrongMask(each);
      if (wrong !== undefined) return fault(at, 'fieldMaskError', wrong, 'updateMask');
    }
    const { campaignBudgetOperation: b, campaignOperation: c, adGroupOperation: g, adGroupAdOperation: a } = operation;
    if (b?.create?.amountMicros !== undefined) {
      if (!/\/-\d+$/.test(b.create.resourceName))
        return fault(at, 'requestError', 'RESOURCE_NAME_MALFORMED', 'A temporary name is needed.');
      temporary.set(b.create.resourceName, { minor: minorOf(b.create.amountMicros) });
      return { apply: () => ({ campaignBudgetResult: { resourceName: b.create?.resourceName } }) };
    }
    if (b?.update?.amountMicros !== undefined) {
      const { amountMicros, resourceName } = b.update;
      const found = find(resourceName, 'campaign');
      if (found === undefined) return notFound(at, 'campaignBudgetError');
      return {
        apply: () => {
          store.update(owner, found.id, { dailyBudgetMinor: minorOf(amountMicros) });
          return { campaignBudgetResult: { resourceName } };
        },
      };
    }
    if (c?.create !== undefined) return createCampaign(at, c.create);
    if (c !== undefined) return changeObject(at, c, 'campaign', 'campaigns', 'campaignResult');
    if (g?.create !== undefined) {
      const parent = find(g.create.campaign, 'campaign');
      if (parent === undefined) return notFound(at, 'adGroupError');
      const { name: called, status: state = 'ENABLED', ...rest } = g.create;
      const { campaign: _, ...settings } = rest;
      const fields = { name: called, status: stateOf[state], parentId: parent.id, settings };
      return {
        apply: () => ({ adGroupResult: { resourceName: name('adGroups', store.create(owner, 'ad_set', fields).id) } }),
      };
    }
    const { adOperation: content } = operation;
    if (content?.update !== undefined) {
      const { resourceName, ...fields } = content.update;
      const found = find(resourceName, 'ad');
      if (found === undefined) return notFound(at, 'adError');
      return {
        apply: () => {
          store.update(owner, found.id, settingsChange(found, fields));
          return { adResult: { resourceName } };
        },
      };
    }
    if (g !== undefined) return changeObject(at, g, 'ad_set', 'adGroups', 'adGroupResult');
    if (a?.create !== undefined) {
      const parent = find(a.create.adGroup, 'ad_set');
      if (parent === undefined) return notFound(at, 'adGroupAdError');
      const { name: called, finalUrlSuffix: urlSuffix, ...settings } = a.create.ad ?? {};
      const status = stateOf[a.create.status ?? 'ENABLED'];
      const fields = { name: called, status, parentId: parent.id, urlSuffix, settings };
      return {
        apply: () => ({
          adGroupAdResult: { resourceName: name('adGroupAds', `${parent.id}~${store.create(owner, 'ad', fields).id}`) },
        }),
      };
    }
    if (a !== undefined) {
      const id = /~(\d+)$/.exec(a.update?.resourceName ?? a.remove ?? '')?.[1] ?? '';
      const under = (resourceName: string | undefined) => resourceName?.replace(/\d+~\d+$/, id);
      const { update, remove } = a;
      return changeObject(
        at,
        { update: update && { ...update, resourceName: under(update.resourceName) }, remove: under(remove) },
        'ad',
        'adGroupAds',
        'adGroupAdResult',
      );
    }
    const { userListOperation: u } = operation;
    if (u?.create !== undefined) {
      const fields = { name: u.create.name, status: 'ACTIVE' };
      return {
        apply: () => ({
          userListResult: { resourceName: name('userLists', store.create(owner, 'audience', fields).id) },
        }),
      };
    }
    if (u !== undefined) return changeObject(at, { remove: u.remove }, 'audience', 'userLists', 'userListResult');
    return fault(at, 'requestError', 'REQUIRED_FIELD_MISSING', 'The operation says nothing to do.');
  });

  function createCampaign(at: number, wanted: z.infer<typeof campaign>): Planned {
    if (wanted.name === undefined) return fault(at, 'fieldError', 'REQUIRED', 'The required field was not present.');
    if (/[\0\r\n]/.test(wanted.name))
      return fault(at, 'campaignError', 'INVALID_CAMPAIGN_NAME', 'The name is not valid.');
    const amount = temporary.get(wanted.campaignBudget ?? '');
    if (amount === undefined) return notFound(at, 'campaignBudgetError');
    const taken = everyCampaign().some(
      (known) => textOf(known, 'name') === wanted.name && (removedNamesClash || textOf(known, 'status') !== 'ENDED'),
    );
    if (taken) return fault(at, 'campaignError', 'DUPLICATE_CAMPAIGN_NAME', 'This campaign name is taken.');
    const fields = {
      name: wanted.name,
      status: stateOf[wanted.status ?? 'ENABLED'],
      dailyBudgetMinor: amount.minor,
      currency,
      startAt: wanted.startDateTime,
      endAt: wanted.endDateTime,
    };
    return {
      apply: () => ({
        campaignResult: { resourceName: name('campaigns', store.create(owner, 'campaign', fields).id) },
      }),
    };
  }

  /** Uniqueness is decided inside the network, where no listing lags. */
  function everyCampaign(): StoredObject[] {
    return store.calls
      .filter((call) => call.network === owner.network && call.account === owner.account && call.op === 'create')
      .flatMap(({ id, kind }) => (kind === 'campaign' ? (store.get(owner, id) ?? []) : []));
  }

  function changeObject(
    at: number,
    { update, remove }: { update?: z.infer<typeof campaign> | undefined; remove?: string | undefined },
    kind: ObjectKind,
    collection: string,
    result: string,
  ): Planned {
    const found = find(update?.resourceName ?? remove, kind);
    if (found === undefined) return notFound(at, `${kind}Error`);
    const removed = textOf(found, 'status') === 'ENDED';
    if (removed && remove === undefined)
      return fault(at, 'contextError', 'OPERATION_NOT_PERMITTED_FOR_REMOVED_RESOURCE', 'It was removed.');
    const changes =
      remove === undefined
        ? {
            ...(update?.name === undefined ? {} : { name: update.name }),
            ...(update?.status === undefined ? {} : { status: stateOf[update.status] }),
            ...(update?.endDateTime === undefined ? {} : { endAt: update.endDateTime }),
            ...(kind === 'ad_set' ? settingsChange(found, settingsOf(update ?? {})) : {}),
          }
        : { status: 'ENDED' };
    return {
      apply: () => {
        if (!removed) store.update(owner, found.id, changes);
        return { [result]: { resourceName: name(collection, found.id) } };
      },
    };
  }
}

const stateOf = { ENABLED: 'ACTIVE', PAUSED: 'PAUSED', REMOVED: 'ENDED' } as const;
export const statusOfState: Readonly<Record<string, string>> = {
  ACTIVE: 'ENABLED',
  PAUSED: 'PAUSED',
  ENDED: 'REMOVED',
};

const NAMED = ['resourceName', 'name', 'status'];
const settingsOf = (update: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(update).filter(([field]) => !NAMED.includes(field)));

const notFound = (at: number, family: string) =>
  fault(at, 'mutateError', 'RESOURCE_NOT_FOUND', `${family}: there is no such resource.`);
