/**
 * `npm run import -- --products N [--data DIR]`: uploads N products of one merchant to a running system and follows the import
 * to its end, while another merchant's changes are timed from webhook to catalog. Prints a JSON object with rates, peak memory
 * of the processes and the other merchant's waits; exits with 1 when a product is missing.
 */
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { connectPostgres } from '../../core/clients/postgres.ts';
import { systemClock as clock } from '../../core/runtime/clock.ts';
import { dataPaths, projectRoot } from '../local/data-folder.ts';
import { type Stack, readStackFile } from '../local/stack-file.ts';

const { values } = parseArgs({
  options: { products: { type: 'string', default: '100000' }, data: { type: 'string' } },
});
const products = z.coerce.number().int().min(1).max(1_000_000).parse(values.products);
const stack = readStackFile(dataPaths(values.data ?? join(projectRoot, '.laneway')).stack);
const [importer, neighbour] = stack.merchants;
if (importer === undefined || neighbour === undefined) throw new Error('the system has no demo merchants');
const progress = z.looseObject({ importId: z.string(), state: z.string(), published: z.int(), refused: z.int() });
/** A name of its own for each run: the catalog keeps what earlier ones brought. */
const run = clock.now().toString(36);
const LINES_PER_CHUNK = 200;
const MAX_SECONDS = 3_600;

async function call(method: string, path: string, upload: { body?: ReadableStream; duplex?: 'half' } = {}) {
  const response = await fetch(stack.gatewayUrl + path, {
    method,
    ...upload,
    headers: { authorization: `Bearer ${importer?.apiKey}`, 'content-type': 'application/x-ndjson' },
    signal: AbortSignal.timeout(60_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return progress.parse(JSON.parse(text));
}

async function* lines(): AsyncGenerator<Buffer> {
  for (let from = 0; from < products; from += LINES_PER_CHUNK) {
    const numbers = Array.from({ length: Math.min(LINES_PER_CHUNK, products - from) }, (_, index) => from + index);
    const rows = numbers.map((n) => {
      const changedAttributes = {
        title: `Product ${n} of run ${run}`,
        description: 'Light, waterproof and made for long days outside. '.repeat(3),
        brand: 'Nordwind',
        priceMinor: 1_000 + (n % 9_000),
        currency: 'EUR',
        availability: 'in_stock',
      };
      return JSON.stringify({ productId: `${run}-${n}`, operationType: 'create', changedAttributes });
    });
    yield Buffer.from(`${rows.join('\n')}\n`, 'utf8');
  }
}

/** Milliseconds from the webhook to the catalog; undefined when it takes over a minute. */
async function timeNeighbour(n: number): Promise<number | undefined> {
  const productId = `${run}-neighbour-${n}`;
  const began = clock.now();
  const change = { changeId: productId, productId, operationType: 'create', timestamp: new Date(began).toISOString() };
  const body = JSON.stringify({ merchantId: neighbour?.id, changes: [change] });
  const timestamp = String(Math.floor(began / 1_000));
  const signature = createHmac('sha256', stack.corePlatformSecret).update(`${timestamp}.${body}`).digest('hex');
  const headers = { 'content-type': 'application/json', 'x-laneway-timestamp': timestamp };
  const signed = { ...headers, 'x-laneway-signature': `v1=${signature}` };
  await fetch(`${stack.gatewayUrl}/webhooks/core-platform/products`, { method: 'POST', headers: signed, body });
  const authorization = `Bearer ${neighbour?.apiKey}`;
  while (clock.now() - began < 60_000) {
    const found = await fetch(`${stack.gatewayUrl}/v1/products/${productId}`, { headers: { authorization } });
    await found.body?.cancel();
    if (found.ok) return clock.now() - began;
    await clock.sleep(20);
  }
  return undefined;
}

/** The most memory that the system's processes ever had, in MB, by what they run. */
function peakMemory({ pid }: Stack): Record<string, number> {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/);
  const peaks: Record<string, number> = {};
  for (const child of children) {
    const program = /(gateway|workers)\/main\.ts/.exec(readFileSync(`/proc/${child}/cmdline`, 'utf8'))?.[1];
    const kilobytes = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child}/status`, 'utf8'))?.[1];
    if (program !== undefined) peaks[program] = Math.max(peaks[program] ?? 0, Math.round(Number(kilobytes) / 1_024));
  }
  return peaks;
}

const percentile = (sorted: readonly number[], p: number): number | undefined =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))];

const before = peakMemory(stack);
const made = await call('POST', '/v1/product-imports');
const path = `/v1/product-imports/${made.importId}`;
const began = clock.now();
let bytes = 0;
async function* counted() {
  for await (const chunk of lines()) {
    bytes += chunk.length;
    yield chunk;
  }
}
await call('PUT', `${path}/content`, { body: ReadableStream.from(counted()), duplex: 'half' });
const uploaded = clock.now();
await call('POST', `${path}/start`);
const waits: (number | undefined)[] = [];
let at = await call('GET', path);
for (let n = 0; at.state !== 'done' && at.state !== 'failed' && clock.now() - began < MAX_SECONDS * 1_000; n++) {
  waits.push(await timeNeighbour(n));
  await clock.sleep(200);
  at = await call('GET', path);
  if (n % 20 === 0) process.stderr.write(`${at.published} of ${products} published\n`);
}
const published = clock.now();
const postgres = connectPostgres({
  url: stack.postgresUrl,
  poolSize: 1,
  applicationName: 'import',
  statementTimeoutMs: 30_000,
  idleInTransactionTimeoutMs: 10_000,
});
const count = async () => {
  const { held } = await postgres.db
    .selectFrom('products')
    .select((select) => select.fn.countAll<number>().as('held'))
    .where('merchant_id', '=', importer.id)
    .where('product_id', 'like', `${run}-%`)
    .executeTakeFirstOrThrow();
  return held;
};
let held = await count();
for (const until = clock.now() + 120_000; held < products && clock.now() < until; held = await count())
  await clock.sleep(500);
const ended = clock.now();
await postgres.close();
const sorted = waits.filter((wait) => wait !== undefined).toSorted((a, b) => a - b);
process.stdout.write(
  `${JSON.stringify({
    ...{ products, held, refused: at.refused, state: at.state, bytes },
    uploadSeconds: (uploaded - began) / 1_000,
    publishSeconds: (published - uploaded) / 1_000,
    seconds: (ended - began) / 1_000,
    productsPerSecond: Math.round((held * 1_000) / (ended - began)),
    peakMemoryMb: { before, after: peakMemory(stack) },
    neighbour: {
      ...{ changes: waits.length, late: waits.length - sorted.length },
      ...{ p50Ms: percentile(sorted, 0.5), p99Ms: percentile(sorted, 0.99), maxMs: sorted.at(-1) },
    },
  })}\n`,
);
process.exit(held === products ? 0 : 1);
