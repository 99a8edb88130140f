import { readFileSync } from 'node:fs';
import { type Kysely, sql } from 'kysely';
import { z } from 'zod';
import { productLines } from './product-lines.ts';
import { timeNeighbour } from './time-neighbour.ts';
import type { Database } from '../../core/database/tables.ts';
import { systemClock as clock } from '../../core/runtime/clock.ts';
import { percentile } from '../bench/statistics.ts';
import type { Stack } from '../local/stack-file.ts';

const MAX_PUBLISH_MS = 3_600_000;
const MAX_CATALOG_MS = 120_000;
const NEIGHBOUR_EVERY_MS = 200;

const progress = z.looseObject({ importId: z.string(), state: z.string(), published: z.int(), refused: z.int() });

/**
 * Uploads the products of one merchant and follows the import to its end, while another merchant's changes are timed from
 * webhook to catalog. Memory is that of the system's processes at their largest, in MB.
 */
export async function runImport(
  stack: Stack,
  db: Kysely<Database>,
  products: number,
  say: (line: string) => void,
): Promise<{ products: number; held: number } & Record<string, unknown>> {
  const [importer, neighbour] = stack.merchants;
  if (importer === undefined || neighbour === undefined) throw new Error('the system has no demo merchants');
  const run = clock.now().toString(36);
  const call = callAs(stack.gatewayUrl, importer.apiKey);
  const before = peakMemory(stack.pid);

  const path = `/v1/product-imports/${(await call('POST', '/v1/product-imports')).importId}`;
  const began = clock.now();
  const upload = counted(productLines(run, products));
  await call('PUT', `${path}/content`, { body: ReadableStream.from(upload), duplex: 'half' });
  const uploaded = clock.now();
  await call('POST', `${path}/start`);

  const waits: (number | undefined)[] = [];
  let at = await call('GET', path);
  while (at.state !== 'done' && at.state !== 'failed' && clock.now() - began < MAX_PUBLISH_MS) {
    waits.push(await timeNeighbour(stack, neighbour, `${run}-neighbour-${waits.length}`));
    await clock.sleep(NEIGHBOUR_EVERY_MS);
    at = await call('GET', path);
    if (waits.length % 20 === 0) say(`${at.published} of ${products} published`);
  }
  const published = clock.now();
  let held = await countProducts(db, importer.id, run);
  while (held < products && clock.now() - published < MAX_CATALOG_MS) {
    await clock.sleep(500);
    held = await countProducts(db, importer.id, run);
  }
  const ended = clock.now();

  return {
    ...{ products, held, refused: at.refused, state: at.state, bytes: upload.bytes() },
    uploadSeconds: (uploaded - began) / 1_000,
    seconds: (ended - began) / 1_000,
    productsPerSecond: Math.round((held * 1_000) / (ended - began)),
    peakMemoryMb: { before, after: peakMemory(stack.pid) },
    neighbour: describeWaits(waits),
  };
}

function callAs(gatewayUrl: string, apiKey: string) {
  return async (method: string, path: string, upload: { body?: ReadableStream; duplex?: 'half' } = {}) => {
    const response = await fetch(gatewayUrl + path, {
      method,
      ...upload,
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/x-ndjson' },
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return progress.parse(JSON.parse(text));
  };
}

function counted(chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> & { bytes(): number } {
  let bytes = 0;
  return {
    bytes: () => bytes,
    async *[Symbol.asyncIterator]() {
      for await (const chunk of chunks) {
        bytes += chunk.length;
        yield chunk;
      }
    },
  };
}

async function countProducts(db: Kysely<Database>, merchantId: string, run: string): Promise<number> {
  const { rows } = await sql<{ held: number }>`
    select count(*)::int as held from products
    where merchant_id = ${merchantId} and product_id >= ${`${run}-`} and product_id like ${`${run}-%`}
  `.execute(db);
  return rows[0]?.held ?? 0;
}

/** By what the children of this process run. */
function peakMemory(pid: number): Record<string, number> {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/);
  const peaks: Record<string, number> = {};
  for (const child of children) {
    const program = /(gateway|workers)\/main\.ts/.exec(readFileSync(`/proc/${child}/cmdline`, 'utf8'))?.[1];
    const kilobytes = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child}/status`, 'utf8'))?.[1];
    if (program !== undefined) peaks[program] = Math.max(peaks[program] ?? 0, Math.round(Number(kilobytes) / 1_024));
  }
  return peaks;
}

function describeWaits(waits: readonly (number | undefined)[]) {
  const known = waits.filter((wait) => wait !== undefined);
  const at = (percent: number) => (known.length === 0 ? undefined : percentile(known, percent));
  const late = waits.length - known.length;
  return { changes: waits.length, late, p50Ms: at(50), p99Ms: at(99), maxMs: at(100) };
}
