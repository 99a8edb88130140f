import { type Postgres, connectPostgres } from '../clients/postgres.ts';
import type { World } from './world.ts';

/** The world's database as one of its roles sees it, so that a test notices a right that is missing, or too many. */
export function asRole(world: World, role: 'laneway_operator' | 'laneway_reader'): Postgres & AsyncDisposable {
  const url = new URL(world.postgresUrl);
  url.searchParams.set('options', `-c role=${role}`);
  const postgres = connectPostgres({
    url: url.toString(),
    poolSize: 4,
    applicationName: `test as ${role}`,
    statementTimeoutMs: 30_000,
    idleInTransactionTimeoutMs: 20_000,
    lockTimeoutMs: 10_000,
  });
  return { ...postgres, [Symbol.asyncDispose]: () => postgres.close() };
}
