import { contentHash } from '../../runtime/ids.ts';

/** The shortest limit of the three networks, in bytes of UTF-8. */
const MAX_BYTES = 255;

/**
 * Finds a campaign of ours on networks that know no idempotency keys and let campaigns share a name: it stands at the end
 * of the name, and nothing else of ours is called so.
 */
export const campaignTag = (merchantId: string, campaignId: string): string =>
  `lw-${contentHash([merchantId, campaignId]).slice(0, 20)}`;

/** The tag in a name, undefined when it has none: the campaign was made by somebody else. */
export const tagIn = (name: string): string | undefined => /\((lw-[0-9a-f]{20})\)$/.exec(name)?.[1];

/** `Winter sale (lw-…)`, cut to what every network takes, without the characters that Google refuses. */
export function taggedName(name: string, tag: string): string {
  const suffix = ` (${tag})`;
  const room = MAX_BYTES - Buffer.byteLength(suffix);
  let kept = '';
  let bytes = 0;
  for (const character of name.replace(/[\0\r\n]/g, ' ')) {
    bytes += Buffer.byteLength(character);
    if (bytes > room) break;
    kept += character;
  }
  return kept.trimEnd() + suffix;
}
