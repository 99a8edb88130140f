import http from 'node:http';
import https from 'node:https';
import { isIPv6 } from 'node:net';
import { type AddressRules, type Resolve, checkedAddress, parseEndpointUrl } from './guard-address.ts';

export interface PostedAnswer {
  status: number;
  /** Seconds that the endpoint wants to be left alone. */
  retryAfterSeconds: number | undefined;
  /** The first characters of the body. */
  excerpt: string;
}

const MAX_READ_BYTES = 16_384;
const EXCERPT = 500;

/**
 * Posts a message to the address that was checked, on a connection of its own: the name is not resolved a second time, a
 * redirect is not followed. Throws `webhooks.url_refused`, or whatever the connection fails with.
 */
export async function postWebhook(
  call: { url: string; headers: Readonly<Record<string, string>>; body: string },
  { rules, resolve, signal, nowMs }: { rules: AddressRules; resolve: Resolve; signal: AbortSignal; nowMs: number },
): Promise<PostedAnswer> {
  const url = parseEndpointUrl(call.url, rules);
  const address = await checkedAddress(url, rules, resolve);
  const family = isIPv6(address) ? 6 : 4;
  const { request } = url.protocol === 'https:' ? https : http;
  return await new Promise((answer, reject) => {
    const outgoing = request(
      url,
      {
        method: 'POST',
        agent: false,
        signal,
        headers: { ...call.headers, 'content-length': Buffer.byteLength(call.body), connection: 'close' },
        lookup: (_host, options, done) =>
          options.all === true ? done(null, [{ address, family }]) : done(null, address, family),
      },
      (incoming) => {
        const parts: Buffer[] = [];
        let size = 0;
        const end = () => {
          answer({
            status: incoming.statusCode ?? 0,
            retryAfterSeconds: retryAfter(incoming.headers['retry-after'], nowMs),
            excerpt: Buffer.concat(parts).toString('utf8').toWellFormed().replaceAll('\0', '').slice(0, EXCERPT),
          });
        };
        incoming.on('data', (part: Buffer) => {
          if (size >= MAX_READ_BYTES) return;
          size += part.byteLength;
          parts.push(part);
          // What more it says does not matter, and it may never end.
          if (size >= MAX_READ_BYTES) {
            end();
            outgoing.destroy();
          }
        });
        incoming.on('end', end);
        incoming.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end(call.body);
  });
}

/** Seconds, or a date (RFC 9110). */
function retryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - nowMs) / 1_000;
  return seconds > 0 ? seconds : undefined;
}
