import { type Finding, type NetworkCall, keyOf } from './evidence.ts';

const words = { campaign: 'campaign', ad_set: 'ad set', ad: 'ad' } as const;

/** What something is after the calls that took effect. */
export const heldAfter = (calls: readonly NetworkCall[]): Readonly<Record<string, unknown>> =>
  calls.reduce<Readonly<Record<string, unknown>>>((held, { body }) => ({ ...held, ...body }), {});

/**
 * Ours stands in brackets at the end of the name, or in the suffix of the URL of what has no name; what has neither is known by
 * its whole name.
 */
export function tagOf({ body }: NetworkCall): string {
  const name = textOf(body['name']);
  return /\(([^()]+)\)$/.exec(name)?.[1] ?? /^lw_ad=(.+)$/.exec(textOf(body['urlSuffix']))?.[1] ?? name;
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Creations of what should be the same thing, by network, account, kind and tag. */
export const creationsByTag = (calls: readonly NetworkCall[]): Map<string, NetworkCall[]> =>
  Map.groupBy(
    calls.filter(({ op }) => op === 'create'),
    (call) => keyOf(call.network, call.account, call.kind, tagOf(call)),
  );

/** What a network was made to hold twice, or holds although none of ours is it. `claimed`: networks and their ids. */
export function twinsOf(calls: readonly NetworkCall[], claimed: ReadonlySet<string>): Finding[] {
  const findings: Finding[] = [];
  for (const same of creationsByTag(calls).values()) {
    const [first] = same;
    if (first === undefined) continue;
    const name = `${words[first.kind]} ${tagOf(first)} of account ${first.account} on ${first.network}`;
    if (same.length > 1) findings.push({ kind: 'duplicated', what: `${name} was created ${same.length} times` });
    else if (!claimed.has(keyOf(first.network, first.id)))
      findings.push({ kind: 'duplicated', what: `${name} exists although none of ours is it` });
  }
  return findings;
}
