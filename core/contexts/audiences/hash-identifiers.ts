import { createHash } from 'node:crypto';
import type { AdNetworkId } from '../campaigns/events.ts';

/** How a person is known, in clear: lives in a request and nowhere else. */
export interface Identifiers {
  email?: string | undefined;
  /** With its country code: `+49 151 …` or `0049 151 …`. */
  phone?: string | undefined;
}

/** SHA-256 in lowercase hex. */
export interface HashedIdentifiers {
  email?: string;
  phone?: string;
}

export interface HashedMember {
  /** The same for everything that means the same person to us. */
  key: string;
  byNetwork: Record<AdNetworkId, HashedIdentifiers>;
}

const sha256 = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');

/**
 * Normalises as each network asks for and hashes; the same person then has the same hash at a network whoever uploads it.
 * Undefined when neither an e-mail address nor a phone number can be read.
 *
 *            e-mail                                             phone
 * google_ads lowercase, no white space; of gmail no dots, tag   E.164 with +
 * meta       lowercase, trimmed                                 digits with country code, no +
 * tiktok     lowercase, no tag                                  E.164 with + (its documents disagree)
 */
export function hashIdentifiers({ email, phone }: Identifiers): HashedMember | undefined {
  const address = email === undefined ? undefined : normalEmail(email);
  const digits = phone === undefined ? undefined : normalPhone(phone);
  const known = address?.whole ?? (digits === undefined ? undefined : `+${digits}`);
  if (known === undefined) return undefined;
  const hashed = (mail: string | undefined, number: string | undefined): HashedIdentifiers => ({
    ...(mail === undefined ? {} : { email: sha256(mail) }),
    ...(number === undefined ? {} : { phone: sha256(number) }),
  });
  const international = digits === undefined ? undefined : `+${digits}`;
  return {
    key: sha256(known),
    byNetwork: {
      google_ads: hashed(address?.google, international),
      meta: hashed(address?.whole, digits),
      tiktok: hashed(address?.untagged, international),
    },
  };
}

function normalEmail(given: string): { whole: string; untagged: string; google: string } | undefined {
  const whole = given.trim().toLowerCase();
  const [, local = '', domain = ''] = /^([^\s@]+)@([^\s@]+\.[^\s@]+)$/.exec(whole) ?? [];
  if (local === '') return undefined;
  const untagged = local.replace(/\+.*$/, '');
  const isGmail = domain === 'gmail.com' || domain === 'googlemail.com';
  return {
    whole,
    untagged: `${untagged}@${domain}`,
    google: isGmail ? `${untagged.replaceAll('.', '')}@${domain}` : whole,
  };
}

function normalPhone(given: string): string | undefined {
  const compact = given.replace(/[\s().\-/]/g, '');
  const digits = /^(?:\+|00)([1-9]\d{6,14})$/.exec(compact)?.[1];
  return digits;
}
