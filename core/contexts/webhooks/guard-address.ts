import { lookup } from 'node:dns/promises';
import { BlockList, isIP, isIPv6 } from 'node:net';
import { LanewayError } from '../../runtime/errors.ts';

/** Ranges that are not the public internet: the IANA special-purpose registries, cloud metadata among them. */
const refused = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const)
  refused.addSubnet(network, prefix, 'ipv4');
// Within 2000::/3, the only range of public IPv6: Teredo and others for protocols, documentation, 6to4.
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  refused.addSubnet(network, prefix, 'ipv6');
const publicV6 = new BlockList();
publicV6.addSubnet('2000::', 3, 'ipv6');
const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIPv6(address) ? 'ipv6' : 'ipv4');
export const isLoopback = (address: string): boolean => loopback.check(address, familyOf(address));

/** IPv6 that carries an IPv4 address (`::ffff:10.0.0.1`, NAT64) lies outside 2000::/3 and is refused with the rest. */
export const isPublic = (address: string): boolean =>
  isIP(address) !== 0 &&
  !refused.check(address, familyOf(address)) &&
  (!isIPv6(address) || publicV6.check(address, 'ipv6'));

export interface AddressRules {
  /** For local runs: plain HTTP to this machine is allowed as well. */
  allowLoopback: boolean;
}

const invalid = (message: string) => new LanewayError('webhooks.url_refused', message);

/**
 * Parses the URL of an endpoint. Throws `webhooks.url_refused` when it is not HTTPS, carries credentials, or names an
 * address or port that is nobody's public service. The name is not resolved here: what it stands for can change until the
 * call.
 */
export function parseEndpointUrl(text: string, { allowLoopback }: AddressRules): URL {
  if (!URL.canParse(text) || text.length > 2_000) throw invalid('is not a URL');
  const url = new URL(text);
  const host = hostOf(url);
  const isLocal = host === 'localhost' || (isIP(host) !== 0 && isLoopback(host));
  if (url.username !== '' || url.password !== '') throw invalid('must not carry credentials');
  if (isLocal) {
    if (allowLoopback) return url;
    throw invalid('names this machine itself');
  }
  if (url.protocol !== 'https:') throw invalid('must begin with https://');
  if (isIP(host) !== 0 && !isPublic(host)) throw invalid('names an address that is not public');
  const port = Number(url.port || 443);
  if (port < 1_024 && port !== 443) throw invalid(`must use port 443 or one from 1024 on, not ${port}`);
  return url;
}

export const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '');

export type Resolve = (host: string) => Promise<readonly string[]>;

export const resolveBySystem: Resolve = async (host) =>
  (await lookup(host, { all: true, order: 'verbatim' })).map(({ address }) => address);

/**
 * The address to connect to, and only to that: whoever resolves the name again may be told another one (rebinding). A name
 * of which any address is not public is refused as a whole. Throws `webhooks.url_refused`; rejects as the resolver does.
 */
export async function checkedAddress(url: URL, rules: AddressRules, resolve: Resolve): Promise<string> {
  const host = hostOf(url);
  const addresses = isIP(host) === 0 ? await resolve(host) : [host];
  for (const address of addresses) {
    if (isPublic(address) || (rules.allowLoopback && isIP(address) !== 0 && isLoopback(address))) continue;
    throw invalid(`${host} stands for ${address}, which is not a public address`);
  }
  const [first] = addresses;
  if (first === undefined) throw invalid(`${host} stands for no address`);
  return first;
}
