import { z } from 'zod';
import type { GaqlRow } from './gaql.ts';
import type { StoredObject } from './object-store.ts';

const settings = z.record(z.string(), z.unknown()).catch({});
const message = z.record(z.string(), z.unknown());
const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Of ad groups and ads only what is in these lists can be selected; a message of its own cannot, only its fields. */
const selectable: Readonly<Record<string, ReadonlySet<string>>> = {
  ad_group: new Set([
    ...['id', 'name', 'status', 'resource_name', 'type', 'cpc_bid_micros', 'cpm_bid_micros', 'cpv_bid_micros'],
    ...['percent_cpc_bid_micros', 'target_cpa_micros', 'target_cpm_micros', 'target_roas', 'ad_rotation_mode'],
    ...['tracking_url_template', 'final_url_suffix'],
  ]),
  ad_group_ad: new Set([
    ...['resource_name', 'status', 'ad.id', 'ad.name', 'ad.final_url_suffix', 'ad.final_urls', 'ad.final_mobile_urls'],
    ...['ad.tracking_url_template', 'ad.display_url', 'ad.responsive_search_ad.headlines'],
    ...['ad.responsive_search_ad.descriptions', 'ad.responsive_search_ad.path1', 'ad.responsive_search_ad.path2'],
  ]),
};

/** Fields of other resources are not looked into. */
export function isSelectable(field: string): boolean {
  const dot = field.indexOf('.');
  return selectable[field.slice(0, dot)]?.has(field.slice(dot + 1)) !== false;
}

/** Fields with their paths, those of a message one by one. */
function flatten(path: string, value: unknown): [string, unknown][] {
  const parts = Array.isArray(value) ? undefined : message.safeParse(value).data;
  if (parts === undefined || (path !== '' && Object.keys(parts).length === 0)) return [[path, value]];
  return Object.entries(parts).flatMap(([name, part]) =>
    flatten(path === '' ? snake(name) : `${path}.${snake(name)}`, part),
  );
}

/** The settings of an object as a row has them. */
export const settingsRow = (resource: string, { fields }: StoredObject): GaqlRow =>
  Object.fromEntries(
    flatten('', settings.parse(fields['settings'])).map(([path, value]) => [`${resource}.${path}`, value]),
  );

/** What is wrong with the mask of an update, which is to name every field that the update gives, and no message as a whole. */
export function wrongMask({
  update,
  updateMask = '',
}: { update?: object | undefined; updateMask?: string | undefined } = {}) {
  if (update === undefined) return undefined;
  if (updateMask === '') return 'FIELD_MASK_MISSING';
  const given = flatten('', update).flatMap(([path]) => (path === 'resource_name' ? [] : path));
  const named = updateMask.split(',');
  if (named.some((path) => given.some((field) => field.startsWith(`${path}.`)))) return 'FIELD_HAS_SUBFIELDS';
  return given.toSorted().join() === named.toSorted().join() ? undefined : 'FIELD_NOT_FOUND';
}
