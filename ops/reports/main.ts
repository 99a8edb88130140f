/**
 * `npm run reports` measures reports over facts that it generates, in a
 * PostgreSQL of its own that is gone afterwards: how long they take, and what it costs to take new figures in.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Kysely, sql } from 'kysely';
import { type Extent, generateFacts } from './generate-facts.ts';
import { measureRefresh, measureReports } from './measure-reports.ts';
import { readArguments, sayUsage, wholeNumber } from '../arguments.ts';
import { describeMachine } from '../bench/machine.ts';
import { startPostgres } from '../local/postgres.ts';
import { connectPostgres } from '../../core/clients/postgres.ts';
import { migrate } from '../../core/database/migrate.ts';
import type { Database } from '../../core/database/tables.ts';

const usage = `usage: npm run reports -- [options]

  --facts N       facts to generate (default 10000000)
  --merchants N   merchants that they are of (default 1000)
  --days N        days that they lie on, 1 to 700 (default 365)
  --json          JSON on standard output
  --help          this text
`;
const LAST_DAY = '2026-11-22';
const PASSWORD = 'laneway-reports';

const say = (line: string): void => void process.stderr.write(`${line}\n`);

type Parsed = { kind: 'run'; extent: Extent; json: boolean } | { kind: 'help' };

const parse = () =>
  readArguments((): Parsed | { kind: 'invalid'; message: string } => {
    const { values } = parseArgs({
      options: {
        facts: { type: 'string', default: '10000000' },
        merchants: { type: 'string', default: '1000' },
        days: { type: 'string', default: '365' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) return { kind: 'help' };
    const extent = {
      facts: wholeNumber('--facts', values.facts, 1, 100_000_000),
      merchants: wholeNumber('--merchants', values.merchants, 1, 1_000_000),
      days: wholeNumber('--days', values.days, 1, 700),
      lastDay: LAST_DAY,
    };
    return { kind: 'run', extent, json: values.json };
  });

const connect = (url: string) =>
  connectPostgres({
    url,
    poolSize: 1,
    applicationName: 'laneway-reports',
    statementTimeoutMs: 1_800_000,
    idleInTransactionTimeoutMs: 60_000,
  });

async function measure(extent: Extent) {
  const dir = mkdtempSync(join(tmpdir(), 'laneway-reports-'));
  // The user that PostgreSQL runs as must be able to enter.
  chmodSync(dir, 0o755);
  const server = await startPostgres({ dataDir: join(dir, 'postgres'), password: PASSWORD, durable: false });
  const owner = connect(server.url('postgres', PASSWORD, 'postgres'));
  const asGateway = new URL(server.url('postgres', PASSWORD, 'postgres'));
  asGateway.searchParams.set('options', '-c role=laneway_gateway');
  const gateway = connect(asGateway.toString());
  try {
    await migrate(owner.db);
    await generateFacts(owner.db, extent, say);
    say('measuring');
    const reports = await measureReports(gateway.db, extent);
    const refresh = await measureRefresh(owner.db, extent.lastDay);
    return { machine: describeMachine(), ...(await countAll(owner.db)), reports, refresh };
  } finally {
    await gateway.close();
    await owner.close();
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function countAll(db: Kysely<Database>) {
  const { rows } = await sql<{ facts: number; orders: number; productDays: number; bytes: number }>`
    select (select count(*) from ad_performance) as facts, (select count(*) from attributed_orders) as orders,
      (select count(*) from product_days) as "productDays", pg_database_size(current_database()) as bytes
  `.execute(db);
  return rows[0] ?? { facts: 0, orders: 0, productDays: 0, bytes: 0 };
}

const parsed = parse();
if (parsed.kind !== 'run') {
  process.exitCode = sayUsage(parsed, usage);
} else {
  const result = await measure(parsed.extent);
  const lines = [
    `${result.facts} facts, ${result.orders} orders`,
    ...result.reports.map((r) => `by ${r.groupBy} over ${r.days} days: p50 ${r.p50Ms} ms, p95 ${r.p95Ms} ms`),
    ...result.refresh.map((r) => `${r.changed} ${r.what} changed: ${r.p50Ms} ms, ${r.rowsTouched} rows touched`),
  ];
  process.stdout.write(`${parsed.json ? JSON.stringify(result) : lines.join('\n')}\n`);
}
